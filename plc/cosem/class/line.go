package class

// line are the S-FSK classes (sfsk.md 5), security, and the classes by which a station
// switches, limits and reads sub-meters (Blue Book 4.4, 4.5, 4.8 and 4.10).
var line = []Interface{
	{Class: 50, Version: 0, Name: "S-FSK Phy&MAC setup", Attributes: phyMAC},
	{Class: 50, Version: 1, Name: "S-FSK Phy&MAC setup", Attributes: phyMAC},
	{
		Class: 51, Name: "S-FSK active initiator", Attributes: []Attribute{{Name: "active_initiator", Type: structure}},
		Methods: []string{"reset_NEW_not_synchronized"}, MethodsAt: 0x10,
	},
	{
		Class: 52, Name: "S-FSK MAC synchronization timeouts",
		Attributes: []Attribute{
			{Name: "search_initiator_timeout", Type: longU},
			{Name: "synchronization_confirmation_timeout", Type: longU},
			{Name: "time_out_not_addressed", Type: longU},
			{Name: "time_out_frame_not_OK", Type: longU},
		},
	},
	{
		Class: 53, Name: "S-FSK MAC counters",
		Attributes: []Attribute{
			{Name: "synchronization_register", Type: array},
			{Name: "desynchronization_listing", Type: structure},
			{Name: "broadcast_frames_counter", Type: array},
			{Name: "repetitions_counter", Type: doubleU},
			{Name: "transmissions_counter", Type: doubleU},
			{Name: "CRC_OK_frames_counter", Type: doubleU},
			{Name: "CRC_NOK_frames_counter", Type: doubleU},
		},
		Methods: []string{"reset"}, MethodsAt: 0x50,
	},
	{Class: 55, Version: 0, Name: "IEC 61334-4-32 LLC setup", Attributes: llc},
	{Class: 55, Version: 1, Name: "IEC 61334-4-32 LLC setup", Attributes: llc},
	{Class: 56, Name: "S-FSK reporting system list", Attributes: []Attribute{{Name: "reporting_system_list", Type: array}}},
	{
		Class: 62, Name: "Compact data",
		Attributes: []Attribute{
			{Name: "compact_buffer", Type: octets},
			{Name: "capture_objects", Type: array},
			{Name: "template_id", Type: unsigned},
			{Name: "template_description", Type: octets},
			{Name: "capture_method", Type: enum, Values: []string{"invoked", "implicit"}},
		},
		Methods: []string{"reset", "capture"},
	},
	{Class: 64, Version: 0, Name: "Security setup", Attributes: security[:4], Methods: []string{"security_activate", "global_key_transfer"}},
	{
		Class: 64, Version: 1, Name: "Security setup", Attributes: security,
		Methods: []string{
			"security_activate", "key_transfer", "key_agreement", "generate_key_pair",
			"generate_certificate_request", "import_certificate", "export_certificate", "remove_certificate",
		},
		MethodsAt: 0x30,
	},
	{Class: 70, Version: 0, Name: "Disconnect control", Attributes: disconnect, Methods: disconnectMethods, MethodsAt: 0x20},
	{Class: 70, Version: 1, Name: "Disconnect control", Attributes: disconnect, Methods: disconnectMethods, MethodsAt: 0x20},
	{
		Class: 71, Name: "Limiter",
		Attributes: []Attribute{
			{Name: "monitored_value", Type: structure},
			{Name: "threshold_active", Type: any},
			{Name: "threshold_normal", Type: any},
			{Name: "threshold_emergency", Type: any},
			{Name: "min_over_threshold_duration", Type: doubleU},
			{Name: "min_under_threshold_duration", Type: doubleU},
			{Name: "emergency_profile", Type: structure},
			{Name: "emergency_profile_group_id_list", Type: array},
			{Name: "emergency_profile_active", Type: boolean},
			{Name: "actions", Type: structure},
		},
	},
	{Class: 72, Version: 0, Name: "M-Bus client", Attributes: mbusClient[:11], Methods: mbusMethods, MethodsAt: 0x60},
	{Class: 72, Version: 1, Name: "M-Bus client", Attributes: mbusClient, Methods: mbusMethods, MethodsAt: 0x70},
}

var phyMAC = []Attribute{
	{Name: "initiator_electrical_phase", Type: enum, Values: []string{"not defined", "phase 1", "phase 2", "phase 3"}},
	{Name: "delta_electrical_phase", Type: enum, Values: []string{
		"not defined", "same phase", "60 degrees", "120 degrees", "180 degrees", "-120 degrees", "-60 degrees",
	}},
	{Name: "max_receiving_gain", Type: unsigned},
	{Name: "max_transmitting_gain", Type: unsigned},
	{Name: "search_initiator_threshold", Type: unsigned},
	{Name: "frequencies", Type: any}, // a structure or an array of structures, see sfsk.md D7
	{Name: "mac_address", Type: longU},
	{Name: "mac_group_addresses", Type: array},
	{Name: "repeater", Type: enum, Values: []string{"never", "always", "dynamic"}},
	{Name: "repeater_status", Type: boolean},
	{Name: "min_delta_credit", Type: unsigned},
	{Name: "initiator_mac_address", Type: longU},
	{Name: "synchronization_locked", Type: boolean},
	{Name: "transmission_speed", Type: enum, Values: []string{"300 baud", "600 baud", "1200 baud", "2400 baud", "4800 baud"}},
	{Name: "active_channel", Type: unsigned}, // of one maker
}

var llc = []Attribute{
	{Name: "max_frame_length", Type: unsigned},
	{Name: "reply_status_list", Type: array},
}

var security = []Attribute{
	{Name: "security_policy", Type: enum},
	{Name: "security_suite", Type: enum, Values: []string{"AES-GCM-128", "AES-GCM-128, ECC P-256", "AES-GCM-256, ECC P-384"}},
	{Name: "client_system_title", Type: octets},
	{Name: "server_system_title", Type: octets},
	{Name: "certificates", Type: array},
}

var disconnect = []Attribute{
	{Name: "output_state", Type: boolean},
	{Name: "control_state", Type: enum, Values: []string{"disconnected", "connected", "ready for reconnection"}},
	{Name: "control_mode", Type: enum},
}

var disconnectMethods = []string{"remote_disconnect", "remote_reconnect"}

var mbusClient = []Attribute{
	{Name: "mbus_port_reference", Type: octets},
	{Name: "capture_definition", Type: array},
	{Name: "capture_period", Type: doubleU},
	{Name: "primary_address", Type: unsigned},
	{Name: "identification_number", Type: doubleU},
	{Name: "manufacturer_id", Type: longU},
	{Name: "version", Type: unsigned},
	{Name: "device_type", Type: unsigned},
	{Name: "access_number", Type: unsigned},
	{Name: "status", Type: unsigned},
	{Name: "alarm", Type: unsigned},
	{Name: "configuration", Type: longU},
	{Name: "encryption_key_status", Type: enum, Values: []string{
		"no encryption key", "encryption key set", "encryption key transferred", "encryption key set and transferred", "encryption key in use",
	}},
}

var mbusMethods = []string{
	"slave_install", "slave_deinstall", "capture", "reset_alarm", "synchronize_clock", "data_send", "set_encryption_key", "transfer_key",
}
