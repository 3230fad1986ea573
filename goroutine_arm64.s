#include "textflag.h"

// func goroutineSelf() uintptr
TEXT ·goroutineSelf(SB), NOSPLIT, $0-8
	MOVD	g, R0
	MOVD	R0, ret+0(FP)
	RET
