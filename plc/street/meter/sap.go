package meter

import (
	"busbar/plc/axdr"
	"busbar/plc/cosem"
)

// sapObject is the SAP assignment (class 17): which logical devices there are, by access
// point and name. Every client may ask a meter it does not know.
func sapObject() object {
	return object{
		class: cosem.ClassSAPAssignment, name: cosem.MustOBIS("0.0.41.0.0.255"), public: true,
		attributes: read(func(c *call, dst []byte) []byte {
			dst = axdr.AppendStructure(axdr.AppendArray(dst, 1), 2)
			return axdr.AppendOctets(axdr.AppendLongU(dst, serverManagement), []byte(c.cfg.Name))
		}),
	}
}
