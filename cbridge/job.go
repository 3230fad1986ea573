//go:build cgo

package cbridge

// Requests without a handle are named by an id of their own.

/*
#cgo noescape br_job_cancel
#cgo nocallback br_job_cancel
#cgo noescape br_job_free
#cgo nocallback br_job_free
#include "requests.h"
*/
import "C"

// JobCancel is uv_cancel; UV_EBUSY once the request runs or is over.
func (l *Loop) JobCancel(id uint64) int { return int(C.br_job_cancel(l.c, C.uint64_t(id))) }

// JobFree ends a request whose RecDone has come.
func (l *Loop) JobFree(id uint64) { C.br_job_free(l.c, C.uint64_t(id)) }
