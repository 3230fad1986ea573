#include "textflag.h"

// func goroutineSelf() uintptr
TEXT ·goroutineSelf(SB), NOSPLIT, $0-8
	MOVQ	(TLS), AX
	MOVQ	AX, ret+0(FP)
	RET

// func goroutineWord(offset uintptr) uintptr
TEXT ·goroutineWord(SB), NOSPLIT, $0-16
	MOVQ	(TLS), AX
	MOVQ	offset+0(FP), CX
	MOVQ	(AX)(CX*1), AX
	MOVQ	AX, ret+8(FP)
	RET
