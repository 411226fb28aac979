// Package config is the station's configuration: one typed structure, filled once
// from defaults, file, environment and flags, then checked as a whole.
//
// It implements no standard. Line settings are the fields of plc.Profile.
//
// The commands of cmd/concentrator load it and hand its parts to the rooms below;
// no room reads configuration by itself.
//
// A loaded Config is never changed.
//
// It holds paths of secrets, never secrets.
package config
