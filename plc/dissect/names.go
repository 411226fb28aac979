package dissect

import (
	"fmt"

	"busbar/plc/cosem"
)

// classes are the interface classes with the names of their attributes from the second
// on; the first is always the logical name (Blue Book 4).
var classes = map[cosem.Class]struct {
	name       string
	attributes []string
}{
	1:  {"data", []string{"value"}},
	3:  {"register", []string{"value", "scaler_unit"}},
	4:  {"extended register", []string{"value", "scaler_unit", "status", "capture_time"}},
	5:  {"demand register", []string{"current_average_value", "last_average_value", "scaler_unit", "status", "capture_time", "start_time_current", "period", "number_of_periods"}},
	6:  {"register activation", []string{"register_assignment", "mask_list", "active_mask"}},
	7:  {"profile generic", []string{"buffer", "capture_objects", "capture_period", "sort_method", "sort_object", "entries_in_use", "profile_entries"}},
	8:  {"clock", []string{"time", "time_zone", "status", "daylight_savings_begin", "daylight_savings_end", "daylight_savings_deviation", "daylight_savings_enabled", "clock_base"}},
	9:  {"script table", []string{"scripts"}},
	11: {"special days table", []string{"entries"}},
	15: {"association LN", []string{"object_list", "associated_partners_id", "application_context_name", "xDLMS_context_info", "authentication_mechanism_name", "secret", "association_status", "security_setup_reference", "user_list", "current_user"}},
	17: {"SAP assignment", []string{"SAP_assignment_list"}},
	18: {"image transfer", []string{"image_block_size", "image_transferred_blocks_status", "image_first_not_transferred_block_number", "image_transfer_enabled", "image_transfer_status", "image_to_activate_info"}},
	19: {"IEC local port setup", []string{"default_mode", "default_baud", "prop_baud", "response_time", "device_addr", "pass_p1", "pass_p2", "pass_w5"}},
	20: {"activity calendar", []string{"calendar_name_active", "season_profile_active", "week_profile_table_active", "day_profile_table_active", "calendar_name_passive", "season_profile_passive", "week_profile_table_passive", "day_profile_table_passive", "activate_passive_calendar_time"}},
	21: {"register monitor", []string{"thresholds", "monitored_value", "actions"}},
	22: {"single action schedule", []string{"executed_script", "type", "execution_time"}},
	23: {"IEC HDLC setup", []string{"comm_speed", "window_size_transmit", "window_size_receive", "max_info_field_length_transmit", "max_info_field_length_receive", "inter_octet_time_out", "inactivity_time_out", "device_address"}},
	40: {"push setup", []string{"push_object_list", "send_destination_and_method", "communication_window", "randomisation_start_interval", "number_of_retries", "repetition_delay"}},
	41: {"TCP-UDP setup", []string{"TCP-UDP_port", "IP_reference", "MSS", "nb_of_sim_conn", "inactivity_time_out"}},
	42: {"IPv4 setup", []string{"DL_reference", "IP_address", "multicast_IP_address", "IP_options", "subnet_mask", "gateway_IP_address", "use_DHCP_flag", "primary_DNS_address", "secondary_DNS_address"}},
	43: {"MAC address setup", []string{"MAC_address"}},
	47: {"GSM diagnostic", []string{"operator", "status", "cs_attachment", "ps_status", "cell_info", "adjacent_cells", "capture_time"}},
	50: {"S-FSK Phy&MAC setup", []string{"initiator_electrical_phase", "delta_electrical_phase", "max_receiving_gain", "max_transmitting_gain", "search_initiator_threshold", "frequencies", "mac_address", "mac_group_addresses", "repeater", "repeater_status", "min_delta_credit", "initiator_mac_address", "synchronization_locked", "transmission_speed"}},
	51: {"S-FSK active initiator", []string{"active_initiator"}},
	52: {"S-FSK MAC synchronization timeouts", []string{"search_initiator_timeout", "synchronization_confirmation_timeout", "time_out_not_addressed", "time_out_frame_not_OK"}},
	53: {"S-FSK MAC counters", []string{"synchronization_register", "desynchronization_listing", "broadcast_frames_counter", "repetitions_counter", "transmissions_counter", "CRC_OK_frames_counter", "CRC_NOK_frames_counter"}},
	55: {"IEC 61334-4-32 LLC setup", []string{"max_frame_length", "reply_status_list"}},
	56: {"S-FSK reporting system list", []string{"reporting_system_list"}},
	61: {"register table", []string{"table_cell_values", "table_cell_definition", "scaler_unit"}},
	62: {"compact data", []string{"compact_buffer", "capture_objects", "template_id", "template_description", "capture_method"}},
	63: {"status mapping", []string{"status_word", "mapping_table"}},
	64: {"security setup", []string{"security_policy", "security_suite", "client_system_title", "server_system_title", "certificates"}},
	68: {"arbitrator", []string{"actions", "permissions_table", "weightings_table", "most_recent_requests_table", "last_outcome"}},
	70: {"disconnect control", []string{"output_state", "control_state", "control_mode"}},
	71: {"limiter", []string{"monitored_value", "threshold_active", "threshold_normal", "threshold_emergency", "min_over_threshold_duration", "min_under_threshold_duration", "emergency_profile", "emergency_profile_group_id_list", "emergency_profile_active", "actions"}},
}

// ClassName is the name of an interface class, or "class 99" of one without.
func ClassName(c cosem.Class) string {
	if k, ok := classes[c]; ok {
		return k.name
	}
	return fmt.Sprintf("class %d", c)
}

// AttributeName is the name of an attribute, or "attribute 9" of one without.
func AttributeName(c cosem.Class, attribute int8) string {
	if attribute == 1 {
		return "logical_name"
	}
	if a := classes[c].attributes; attribute >= 2 && int(attribute)-2 < len(a) {
		return a[attribute-2]
	}
	return fmt.Sprintf("attribute %d", attribute)
}

// units are the physical units of a scaler_unit (Blue Book 4.3.2) that meters use most.
var units = map[uint8]string{
	1: "a", 2: "mo", 3: "wk", 4: "d", 5: "h", 6: "min", 7: "s", 8: "°", 9: "°C", 13: "m³", 14: "m³", 27: "W", 28: "VA", 29: "var",
	30: "Wh", 31: "VAh", 32: "varh", 33: "A", 34: "C", 35: "V", 44: "Hz", 56: "%", 57: "Ah", 70: "dBm", 71: "dBµV", 72: "dB",
}

// UnitName is the sign of a unit: empty for a mere number (255), "unit 99" for one
// without a sign here.
func UnitName(unit uint8) string {
	if unit == 255 {
		return ""
	}
	if s, ok := units[unit]; ok {
		return s
	}
	return fmt.Sprintf("unit %d", unit)
}
