#include "textflag.h"

// func Self() uintptr
TEXT ·Self(SB), NOSPLIT, $0-8
	MOVD	g, R0
	MOVD	R0, ret+0(FP)
	RET

// func word(offset uintptr) uintptr
TEXT ·word(SB), NOSPLIT, $0-16
	MOVD	offset+0(FP), R0
	ADD	g, R0
	MOVD	(R0), R0
	MOVD	R0, ret+8(FP)
	RET

// func selfAndWord(offset uintptr) (self, word uintptr)
TEXT ·selfAndWord(SB), NOSPLIT, $0-24
	MOVD	offset+0(FP), R0
	MOVD	g, R1
	MOVD	R1, self+8(FP)
	ADD	g, R0
	MOVD	(R0), R0
	MOVD	R0, word+16(FP)
	RET

// func wordOf(self, offset uintptr) uintptr
TEXT ·wordOf(SB), NOSPLIT, $0-24
	MOVD	self+0(FP), R0
	MOVD	offset+8(FP), R1
	ADD	R1, R0
	MOVD	(R0), R0
	MOVD	R0, ret+16(FP)
	RET
