// Package initiator is the concentrator's end of a power line: it finds servers,
// gives them addresses and reads them, and it alone decides when something is sent.
//
// It composes CIASE (IEC 61334-4-511), the LLC of IEC 61334-4-32 and DLMS/COSEM
// associations (IEC 62056-5-3) as IEC 62056-8-3 does, over the MAC primitives of a
// [Line].
//
// Above is whoever wants values: blocking methods of [Link]. Below is a modem
// driver or a simulated street; both satisfy Line without knowing this package.
//
// One goroutine, [Initiator.Run], owns the line, the associations and all time-outs.
// Callers hand it jobs over bounded queues.
//
// It never sends while an answer, or a repetition of it, may still be on the mains; it
// never lets a failure of our own side look like a silent meter; and it keeps no value it read.
package initiator
