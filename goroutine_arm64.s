#include "textflag.h"

// func goroutineSelf() uintptr
TEXT ·goroutineSelf(SB), NOSPLIT, $0-8
	MOVD	g, R0
	MOVD	R0, ret+0(FP)
	RET

// func goroutineWord(offset uintptr) uintptr
TEXT ·goroutineWord(SB), NOSPLIT, $0-16
	MOVD	offset+0(FP), R0
	ADD	g, R0
	MOVD	(R0), R0
	MOVD	R0, ret+8(FP)
	RET
