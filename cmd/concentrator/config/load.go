package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"
)

// delimiter joins the parts of a key inside viper. It is not ".", because an OBIS
// code may be part of a key or value.
const delimiter = "::"

// EnvPrefix starts the name of every environment variable: line.bit_rate is
// CONCENTRATOR_LINE_BIT_RATE.
const EnvPrefix = "CONCENTRATOR"

// Load reads the configuration: defaults, then the file at path (none when
// empty), then the environment (as os.Environ gives it), then the flags that were
// set. A flag sets the key that its annotation KeyAnnotation names.
//
// Every fault is reported at once. An unknown key is an error that names the
// nearest known one.
func Load(path string, environ []string, flags *pflag.FlagSet) (Config, error) {
	v := viper.NewWithOptions(viper.KeyDelimiter(delimiter))
	known := setDefaults(v)
	if path != "" {
		v.SetConfigFile(path)
		v.SetConfigType("yaml") // whatever the file is called
		if err := v.ReadInConfig(); err != nil {
			return Config{}, fileError(path, err)
		}
		if err := unknownKeys(path, v.AllKeys(), known); err != nil {
			return Config{}, err
		}
	}
	if err := applyEnvironment(v, environ, known); err != nil {
		return Config{}, err
	}
	applyFlags(v, flags)
	var c Config
	if err := v.UnmarshalExact(&c, viper.DecodeHook(hooks())); err != nil {
		return Config{}, decodeError(path, err)
	}
	if err := c.Validate(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// KeyAnnotation is the flag annotation that holds the key a flag sets.
const KeyAnnotation = "config-key"

func applyFlags(v *viper.Viper, flags *pflag.FlagSet) {
	if flags == nil {
		return
	}
	flags.Visit(func(f *pflag.Flag) {
		if key := f.Annotations[KeyAnnotation]; len(key) == 1 {
			v.Set(strings.ReplaceAll(key[0], ".", delimiter), f.Value.String())
		}
	})
}

// setDefaults gives viper every leaf of Default and returns the known keys.
func setDefaults(v *viper.Viper) map[string]bool {
	known := map[string]bool{}
	walk(reflect.ValueOf(Default()), nil, func(path []string, value any) {
		key := strings.Join(path, delimiter)
		v.SetDefault(key, value)
		known[key] = true
	})
	return known
}

func walk(v reflect.Value, path []string, leaf func(path []string, value any)) {
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("mapstructure")
		p := append(append([]string(nil), path...), name)
		if v.Field(i).Kind() == reflect.Struct {
			walk(v.Field(i), p, leaf)
			continue
		}
		leaf(p, v.Field(i).Interface())
	}
}

func unknownKeys(path string, keys []string, known map[string]bool) error {
	sort.Strings(keys)
	var errs []error
	for _, key := range keys {
		if !known[key] {
			errs = append(errs, fmt.Errorf("%s: unknown key %q%s", path, dotted(key), suggest(dotted(key), known)))
		}
	}
	return errors.Join(errs...)
}

func applyEnvironment(v *viper.Viper, environ []string, known map[string]bool) error {
	names := map[string]string{}
	byName := map[string]bool{}
	for key := range known {
		name := EnvPrefix + "_" + strings.ToUpper(strings.ReplaceAll(key, delimiter, "_"))
		names[name] = key
		byName[name] = true
	}
	var errs []error
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, EnvPrefix+"_") {
			continue
		}
		key, ok := names[name]
		if !ok {
			errs = append(errs, fmt.Errorf("environment: unknown variable %s%s", name, suggest(name, byName)))
			continue
		}
		v.Set(key, value)
	}
	return errors.Join(errs...)
}

// hooks decode what the file, the environment and flags may hold. A bare number is
// refused as a duration: viper would take "30" for 30 nanoseconds.
func hooks() mapstructure.DecodeHookFunc {
	duration := reflect.TypeFor[time.Duration]()
	return mapstructure.ComposeDecodeHookFunc(
		func(from, to reflect.Type, data any) (any, error) {
			if to != duration || from == duration {
				return data, nil
			}
			s, ok := data.(string)
			if !ok {
				return nil, fmt.Errorf("%v is not a duration: add a unit, for example %vs", data, data)
			}
			d, err := time.ParseDuration(s)
			if err != nil {
				return nil, fmt.Errorf("%q is not a duration: write for example 30s, 15m or 24h", s)
			}
			return d, nil
		},
		mapstructure.StringToSliceHookFunc(","),
	)
}

func fileError(path string, err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("configuration file %s does not exist: give --config FILE, or start from `concentrator config example`", path)
	}
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("configuration file %s cannot be read: %w", path, err)
	}
	return fmt.Errorf("configuration file %s: %w", path, err)
}

func decodeError(path string, err error) error {
	where := "configuration"
	if path != "" {
		where = path
	}
	return fmt.Errorf("%s: %s", where, strings.ReplaceAll(err.Error(), delimiter, "."))
}

func dotted(key string) string { return strings.ReplaceAll(key, delimiter, ".") }

// suggest names the known key nearest to key, when one is near enough to be meant.
func suggest(key string, known map[string]bool) string {
	best, distance := "", len(key)/2+2
	for k := range known {
		k = dotted(k)
		if d := levenshtein(key, k); d < distance || d == distance && k < best {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// levenshtein is the number of single-character edits between a and b.
func levenshtein(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			above := row[j+1]
			row[j+1] = min(above+1, row[j]+1, diagonal+cost)
			diagonal = above
		}
	}
	return row[len(b)]
}
