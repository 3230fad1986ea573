#include "textflag.h"

// func goroutineSelf() uintptr
TEXT ·goroutineSelf(SB), NOSPLIT, $0-8
	MOVQ	(TLS), AX
	MOVQ	AX, ret+0(FP)
	RET
