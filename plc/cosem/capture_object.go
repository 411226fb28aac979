package cosem

import (
	"fmt"

	"busbar/plc/axdr"
)

// CaptureObject names a column of a profile: an attribute of an object, or one element
// of it when Index is not 0 (Blue Book 4.3.6, capture_object_definition).
type CaptureObject struct {
	Class     Class
	Object    OBIS
	Attribute int8
	Index     uint16 // data_index: 0 is the whole attribute
}

// Append appends the structure that a capture object is.
func (c CaptureObject) Append(dst []byte) []byte {
	dst = axdr.AppendLongU(axdr.AppendStructure(dst, 4), uint16(c.Class))
	dst = axdr.AppendOctets(dst, c.Object[:])
	return axdr.AppendLongU(axdr.AppendInteger(dst, c.Attribute), c.Index)
}

// captureObjectSize is the encoding of one: the head of the structure, class, name,
// attribute and index.
const captureObjectSize = 2 + 3 + 8 + 2 + 3

// AppendCaptureObjects appends an array of capture objects.
func AppendCaptureObjects(dst []byte, objects []CaptureObject) []byte {
	dst = axdr.AppendArray(dst, len(objects))
	for _, c := range objects {
		dst = c.Append(dst)
	}
	return dst
}

// ParseCaptureObjects reads an array of capture objects (class 7 attribute 3) and
// returns the octets it took.
func ParseCaptureObjects(b []byte) ([]CaptureObject, int, error) {
	d := axdr.NewDecoder(b)
	objects, err := captureObjects(d)
	if err != nil {
		return nil, 0, err
	}
	return objects, d.Offset(), nil
}

func captureObjects(d *axdr.Decoder) ([]CaptureObject, error) {
	n, err := d.Array()
	if err != nil {
		return nil, err
	}
	if n > d.Left()/captureObjectSize {
		return nil, fmt.Errorf("%d capture objects in %d octets", n, d.Left())
	}
	objects := make([]CaptureObject, n)
	for i := range objects {
		if objects[i], err = captureObject(d); err != nil {
			return nil, err
		}
	}
	return objects, nil
}

// ParseCaptureObject reads one capture object, as sort_object is (class 7 attribute 6).
func ParseCaptureObject(b []byte) (CaptureObject, int, error) {
	d := axdr.NewDecoder(b)
	c, err := captureObject(d)
	if err != nil {
		return CaptureObject{}, 0, err
	}
	return c, d.Offset(), nil
}

func captureObject(d *axdr.Decoder) (CaptureObject, error) {
	var c CaptureObject
	if err := d.Structure(4); err != nil {
		return c, err
	}
	class, err := d.Integer(axdr.LongU)
	if err != nil {
		return c, err
	}
	name, err := d.OctetString()
	if err != nil {
		return c, err
	}
	if len(name) != len(c.Object) {
		return c, fmt.Errorf("logical name of %d octets: want %d", len(name), len(c.Object))
	}
	attribute, err := d.Integer(axdr.Integer)
	if err != nil {
		return c, err
	}
	index, err := d.Integer(axdr.LongU)
	return CaptureObject{Class: Class(class), Object: OBIS(name), Attribute: int8(attribute), Index: uint16(index)}, err
}

// ScalerUnit is what a register's number means: number x 10^Scaler Unit (Blue Book 4.3.2).
type ScalerUnit struct {
	Scaler int8
	Unit   uint8 // of the table of units: 30 is Wh
}

// Append appends the structure that a scaler_unit is.
func (s ScalerUnit) Append(dst []byte) []byte {
	return axdr.AppendEnum(axdr.AppendInteger(axdr.AppendStructure(dst, 2), s.Scaler), s.Unit)
}

// Size is the number of octets that Append appends.
func (ScalerUnit) Size() int { return 6 }

// ParseScalerUnit reads a scaler_unit (class 3 attribute 3) and returns the octets it took.
func ParseScalerUnit(b []byte) (ScalerUnit, int, error) {
	d := axdr.NewDecoder(b)
	if err := d.Structure(2); err != nil {
		return ScalerUnit{}, 0, err
	}
	scaler, err := d.Integer(axdr.Integer)
	if err != nil {
		return ScalerUnit{}, 0, err
	}
	unit, err := d.Integer(axdr.Enum)
	if err != nil {
		return ScalerUnit{}, 0, err
	}
	return ScalerUnit{Scaler: int8(scaler), Unit: uint8(unit)}, d.Offset(), nil
}
