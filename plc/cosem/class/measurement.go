package class

// measurement are the classes of values and their storage (Blue Book 4.3 and 4.5).
var measurement = []Interface{
	{Class: 1, Name: "Data", Attributes: []Attribute{{Name: "value", Type: any}}},
	{
		Class: 3, Name: "Register",
		Attributes: []Attribute{{Name: "value", Type: any}, {Name: "scaler_unit", Type: structure}},
		Methods:    []string{"reset"}, MethodsAt: 0x28,
	},
	{
		Class: 4, Name: "Extended register",
		Attributes: []Attribute{
			{Name: "value", Type: any},
			{Name: "scaler_unit", Type: structure},
			{Name: "status", Type: any},
			{Name: "capture_time", Type: octets},
		},
		Methods: []string{"reset"}, MethodsAt: 0x38,
	},
	{
		Class: 5, Name: "Demand register",
		Attributes: []Attribute{
			{Name: "current_average_value", Type: any},
			{Name: "last_average_value", Type: any},
			{Name: "scaler_unit", Type: structure},
			{Name: "status", Type: any},
			{Name: "capture_time", Type: octets},
			{Name: "start_time_current", Type: octets},
			{Name: "period", Type: doubleU},
			{Name: "number_of_periods", Type: longU},
		},
		Methods: []string{"reset", "next_period"}, MethodsAt: 0x48,
	},
	{
		Class: 6, Name: "Register activation",
		Attributes: []Attribute{
			{Name: "register_assignment", Type: array},
			{Name: "mask_list", Type: array},
			{Name: "active_mask", Type: octets},
		},
		Methods: []string{"add_register", "add_mask", "delete_mask"}, MethodsAt: 0x30,
	},
	{
		Class: 7, Version: 0, Name: "Profile generic",
		Attributes: profileAttributes,
		Methods:    []string{"reset", "capture", "get_buffer_by_range", "get_buffer_by_index"}, MethodsAt: 0x58,
	},
	{
		Class: 7, Version: 1, Name: "Profile generic",
		Attributes: profileAttributes, Methods: []string{"reset", "capture"}, MethodsAt: 0x58,
	},
	{
		Class: 8, Name: "Clock",
		Attributes: []Attribute{
			{Name: "time", Type: octets},
			{Name: "time_zone", Type: long},
			{Name: "status", Type: unsigned},
			{Name: "daylight_savings_begin", Type: octets},
			{Name: "daylight_savings_end", Type: octets},
			{Name: "daylight_savings_deviation", Type: integer},
			{Name: "daylight_savings_enabled", Type: boolean},
			{Name: "clock_base", Type: enum, Values: []string{
				"not defined", "internal crystal", "mains 50 Hz", "mains 60 Hz", "GPS", "radio",
			}},
		},
		Methods: []string{
			"adjust_to_quarter", "adjust_to_measuring_period", "adjust_to_minute",
			"adjust_to_preset_time", "preset_adjusting_time", "shift_time",
		},
		MethodsAt: 0x60,
	},
}

var profileAttributes = []Attribute{
	{Name: "buffer", Type: array},
	{Name: "capture_objects", Type: array},
	{Name: "capture_period", Type: doubleU},
	{Name: "sort_method", Type: enum, Values: []string{
		"", "unsorted (FIFO)", "unsorted (LIFO)", "largest", "smallest", "nearest to zero", "farthest from zero",
	}},
	{Name: "sort_object", Type: structure},
	{Name: "entries_in_use", Type: doubleU},
	{Name: "profile_entries", Type: doubleU},
}
