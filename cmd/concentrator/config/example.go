package config

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Example is a complete configuration file: every key with its default.
func Example() string {
	c := Default()
	c.Station = "TS-0001"
	var b strings.Builder
	b.WriteString("# Every key with its default. Keep only what differs.\n")
	section(&b, reflect.ValueOf(c), "")
	return b.String()
}

func section(b *strings.Builder, v reflect.Value, indent string) {
	for i := range v.NumField() {
		name, field := v.Type().Field(i).Tag.Get("mapstructure"), v.Field(i)
		if field.Kind() == reflect.Struct {
			fmt.Fprintf(b, "%s%s:\n", indent, name)
			section(b, field, indent+"  ")
			continue
		}
		fmt.Fprintf(b, "%s%s: %s\n", indent, name, scalar(field))
	}
}

func scalar(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		return x.String()
	case string:
		return fmt.Sprintf("%q", x)
	case []string:
		return "[" + strings.Join(x, ", ") + "]"
	default:
		return fmt.Sprint(x)
	}
}
