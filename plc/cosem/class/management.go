package class

// management are the classes of other carriers, of pushing and of compact data, as they
// stand in the object lists of meters (Blue Book 4.4, 4.6 to 4.9).
var management = []Interface{
	{
		Class: 23, Version: 1, Name: "IEC HDLC setup",
		Attributes: []Attribute{
			{Name: "comm_speed", Type: enum, Values: baud},
			{Name: "window_size_transmit", Type: unsigned},
			{Name: "window_size_receive", Type: unsigned},
			{Name: "max_info_field_length_transmit", Type: longU},
			{Name: "max_info_field_length_receive", Type: longU},
			{Name: "inter_octet_time_out", Type: longU},
			{Name: "inactivity_time_out", Type: longU},
			{Name: "device_address", Type: longU},
		},
	},
	{
		Class: 27, Version: 0, Name: "Modem configuration",
		Attributes: []Attribute{
			{Name: "comm_speed", Type: enum, Values: baud},
			{Name: "initialization_string", Type: array},
			{Name: "modem_profile", Type: array},
		},
	},
	{
		Class: 28, Version: 0, Name: "Auto answer",
		Attributes: []Attribute{
			{Name: "mode", Type: enum},
			{Name: "listening_window", Type: array},
			{Name: "status", Type: enum},
			{Name: "number_of_calls", Type: unsigned},
			{Name: "number_of_rings", Type: structure},
		},
	},
	{
		Class: 29, Version: 1, Name: "Auto connect",
		Attributes: []Attribute{
			{Name: "mode", Type: enum},
			{Name: "repetitions", Type: unsigned},
			{Name: "repetition_delay", Type: longU},
			{Name: "calling_window", Type: array},
			{Name: "destination_list", Type: array},
		},
	},
	{
		Class: 29, Version: 2, Name: "Auto connect",
		Attributes: []Attribute{
			{Name: "mode", Type: enum},
			{Name: "repetitions", Type: unsigned},
			{Name: "repetition_delay", Type: longU},
			{Name: "calling_window", Type: array},
			{Name: "destination_list", Type: array},
		},
		Methods: []string{"connect"},
	},
	{Class: 40, Version: 0, Name: "Push setup", Attributes: pushSetup[:6], Methods: []string{"push"}, MethodsAt: 0x38},
	{Class: 40, Version: 1, Name: "Push setup", Attributes: pushSetup[:9], Methods: []string{"push"}},
	{Class: 40, Version: 2, Name: "Push setup", Attributes: pushSetup, Methods: []string{"push", "reset"}},
	{
		Class: 41, Name: "TCP-UDP setup",
		Attributes: []Attribute{
			{Name: "TCP-UDP_port", Type: longU},
			{Name: "IP_reference", Type: octets},
			{Name: "MSS", Type: longU},
			{Name: "nb_of_sim_conn", Type: unsigned},
			{Name: "inactivity_time_out", Type: longU},
		},
	},
	{
		Class: 42, Name: "IPv4 setup",
		Attributes: []Attribute{
			{Name: "DL_reference", Type: octets},
			{Name: "IP_address", Type: doubleU},
			{Name: "multicast_IP_address", Type: array},
			{Name: "IP_options", Type: array},
			{Name: "subnet_mask", Type: doubleU},
			{Name: "gateway_IP_address", Type: doubleU},
			{Name: "use_DHCP_flag", Type: boolean},
			{Name: "primary_DNS_address", Type: doubleU},
			{Name: "secondary_DNS_address", Type: doubleU},
		},
		Methods: []string{"add_mc_IP_address", "delete_mc_IP_address", "get_nbof_mc_IP_addresses"}, MethodsAt: 0x60,
	},
	{Class: 43, Name: "MAC address setup", Attributes: []Attribute{{Name: "MAC_address", Type: octets}}},
	{
		Class: 44, Name: "PPP setup",
		Attributes: []Attribute{
			{Name: "PHY_reference", Type: octets},
			{Name: "LCP_options", Type: array},
			{Name: "IPCP_options", Type: array},
			{Name: "PPP_authentication", Type: any},
		},
	},
	{
		Class: 45, Name: "GPRS modem setup",
		Attributes: []Attribute{
			{Name: "APN", Type: octets},
			{Name: "PIN_code", Type: longU},
			{Name: "quality_of_service", Type: structure},
		},
	},
	{Class: 47, Version: 0, Name: "GSM diagnostic", Attributes: gsmDiagnostic},
	{Class: 47, Version: 2, Name: "GSM diagnostic", Attributes: gsmDiagnostic},
	{
		Class: 48, Name: "IPv6 setup",
		Attributes: []Attribute{
			{Name: "DL_reference", Type: octets},
			{Name: "address_config_mode", Type: enum},
			{Name: "unicast_IPv6_addresses", Type: array},
			{Name: "multicast_IPv6_addresses", Type: array},
			{Name: "gateway_IPv6_addresses", Type: array},
			{Name: "primary_DNS_address", Type: octets},
			{Name: "secondary_DNS_address", Type: octets},
			{Name: "traffic_class", Type: unsigned},
			{Name: "neighbor_discovery_setup", Type: array},
		},
		Methods: []string{"add_IPv6_address", "remove_IPv6_address"},
	},
}

var pushSetup = []Attribute{
	{Name: "push_object_list", Type: array},
	{Name: "send_destination_and_method", Type: structure},
	{Name: "communication_window", Type: array},
	{Name: "randomisation_start_interval", Type: longU},
	{Name: "number_of_retries", Type: unsigned},
	{Name: "repetition_delay", Type: any}, // a number, from version 2 on a structure
	{Name: "port_reference", Type: octets},
	{Name: "push_client_SAP", Type: integer},
	{Name: "push_protection_parameters", Type: array},
	{Name: "push_operation_method", Type: enum},
	{Name: "confirmation_parameters", Type: structure},
	{Name: "last_confirmation_date_time", Type: octets},
}

var gsmDiagnostic = []Attribute{
	{Name: "operator", Type: visible},
	{Name: "status", Type: enum},
	{Name: "cs_attachment", Type: enum},
	{Name: "ps_status", Type: enum},
	{Name: "cell_info", Type: structure},
	{Name: "adjacent_cells", Type: array},
	{Name: "capture_time", Type: octets},
}
