#include "textflag.h"

// func Self() uintptr
TEXT ·Self(SB), NOSPLIT, $0-8
	MOVQ	(TLS), AX
	MOVQ	AX, ret+0(FP)
	RET

// func word(offset uintptr) uintptr
TEXT ·word(SB), NOSPLIT, $0-16
	MOVQ	(TLS), AX
	MOVQ	offset+0(FP), CX
	MOVQ	(AX)(CX*1), AX
	MOVQ	AX, ret+8(FP)
	RET

// func selfAndWord(offset uintptr) (self, word uintptr)
TEXT ·selfAndWord(SB), NOSPLIT, $0-24
	MOVQ	(TLS), AX
	MOVQ	offset+0(FP), CX
	MOVQ	AX, self+8(FP)
	MOVQ	(AX)(CX*1), AX
	MOVQ	AX, word+16(FP)
	RET

// func wordOf(self, offset uintptr) uintptr
TEXT ·wordOf(SB), NOSPLIT, $0-24
	MOVQ	self+0(FP), AX
	MOVQ	offset+8(FP), CX
	MOVQ	(AX)(CX*1), AX
	MOVQ	AX, ret+16(FP)
	RET
