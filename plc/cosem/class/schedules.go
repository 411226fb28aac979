package class

// schedules are the classes that act by the clock or on a threshold, and the calendar
// (Blue Book 4.5).
var schedules = []Interface{
	{
		Class: 9, Name: "Script table", Attributes: []Attribute{{Name: "scripts", Type: array}},
		Methods: []string{"execute"}, MethodsAt: 0x20,
	},
	{
		Class: 10, Name: "Schedule", Attributes: []Attribute{{Name: "entries", Type: array}},
		Methods: []string{"enable/disable", "insert", "delete"}, MethodsAt: 0x20,
	},
	{
		Class: 11, Name: "Special days table", Attributes: []Attribute{{Name: "entries", Type: array}},
		Methods: []string{"insert", "delete"}, MethodsAt: 0x10,
	},
	{
		Class: 12, Version: 0, Name: "Association SN", Attributes: []Attribute{{Name: "object_list", Type: array}},
		Methods: associationSNMethods, MethodsAt: 0x20,
	},
	{
		Class: 12, Version: 1, Name: "Association SN",
		Attributes: []Attribute{{Name: "object_list", Type: array}, {Name: "access_rights_list", Type: array}},
		Methods:    associationSNMethods, MethodsAt: 0x20,
	},
	{
		Class: 12, Version: 2, Name: "Association SN",
		Attributes: []Attribute{
			{Name: "object_list", Type: array},
			{Name: "access_rights_list", Type: array},
			{Name: "security_setup_reference", Type: octets},
		},
		Methods: associationSNMethods, MethodsAt: 0x20,
	},
	{Class: 15, Version: 0, Name: "Association LN", Attributes: associationLN[:7], Methods: associationLNMethods[:4]},
	{Class: 15, Version: 1, Name: "Association LN", Attributes: associationLN[:8], Methods: associationLNMethods[:4]},
	{Class: 15, Version: 2, Name: "Association LN", Attributes: associationLN, Methods: associationLNMethods},
	{Class: 15, Version: 3, Name: "Association LN", Attributes: associationLN, Methods: associationLNMethods},
	{
		Class: 17, Name: "SAP assignment", Attributes: []Attribute{{Name: "SAP_assignment_list", Type: array}},
		Methods: []string{"connect_logical_device"}, MethodsAt: 0x20,
	},
	{
		Class: 18, Name: "Image transfer",
		Attributes: []Attribute{
			{Name: "image_block_size", Type: doubleU},
			{Name: "image_transferred_blocks_status", Type: bits},
			{Name: "image_first_not_transferred_block_number", Type: doubleU},
			{Name: "image_transfer_enabled", Type: boolean},
			{Name: "image_transfer_status", Type: enum, Values: []string{
				"transfer not initiated", "transfer initiated", "verification initiated", "verification successful",
				"verification failed", "activation initiated", "activation successful", "activation failed",
			}},
			{Name: "image_to_activate_info", Type: array},
		},
		Methods: []string{"image_transfer_initiate", "image_block_transfer", "image_verify", "image_activate"}, MethodsAt: 0x40,
	},
	{
		Class: 19, Version: 1, Name: "IEC local port setup",
		Attributes: []Attribute{
			{Name: "default_mode", Type: enum},
			{Name: "default_baud", Type: enum, Values: baud},
			{Name: "prop_baud", Type: enum, Values: baud},
			{Name: "response_time", Type: enum, Values: []string{"20 ms", "200 ms"}},
			{Name: "device_addr", Type: octets},
			{Name: "pass_p1", Type: octets},
			{Name: "pass_p2", Type: octets},
			{Name: "pass_w5", Type: octets},
		},
	},
	{
		Class: 20, Name: "Activity calendar",
		Attributes: []Attribute{
			{Name: "calendar_name_active", Type: octets},
			{Name: "season_profile_active", Type: array},
			{Name: "week_profile_table_active", Type: array},
			{Name: "day_profile_table_active", Type: array},
			{Name: "calendar_name_passive", Type: octets},
			{Name: "season_profile_passive", Type: array},
			{Name: "week_profile_table_passive", Type: array},
			{Name: "day_profile_table_passive", Type: array},
			{Name: "activate_passive_calendar_time", Type: octets},
		},
		Methods: []string{"activate_passive_calendar"}, MethodsAt: 0x50,
	},
	{
		Class: 21, Name: "Register monitor",
		Attributes: []Attribute{
			{Name: "thresholds", Type: array},
			{Name: "monitored_value", Type: structure},
			{Name: "actions", Type: array},
		},
	},
	{
		Class: 22, Name: "Single action schedule",
		Attributes: []Attribute{
			{Name: "executed_script", Type: structure},
			{Name: "type", Type: enum},
			{Name: "execution_time", Type: array},
		},
	},
}

var associationSNMethods = []string{
	"reserved 1", "reserved 2", "read_by_logicalname", "get_attributes&methods",
	"change_LLS_secret", "change_HLS_secret", "reserved 7", "reply_to_HLS_authentication",
}

var associationLN = []Attribute{
	{Name: "object_list", Type: array},
	{Name: "associated_partners_id", Type: structure},
	{Name: "application_context_name", Type: any},
	{Name: "xDLMS_context_info", Type: structure},
	{Name: "authentication_mechanism_name", Type: any},
	{Name: "secret", Type: octets},
	{Name: "association_status", Type: enum, Values: []string{"non-associated", "association pending", "associated"}},
	{Name: "security_setup_reference", Type: octets},
	{Name: "user_list", Type: array},
	{Name: "current_user", Type: structure},
}

var associationLNMethods = []string{
	"reply_to_HLS_authentication", "change_HLS_secret", "add_object", "remove_object", "add_user", "remove_user",
}

// baud are the speeds in bit/s of classes 19 and 23.
var baud = []string{"300", "600", "1200", "2400", "4800", "9600", "19200", "38400", "57600", "115200"}
