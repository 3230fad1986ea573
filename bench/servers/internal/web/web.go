// Package web is the two answers of the HTTP servers: a text and a small JSON object. It
// knows net/http only, so every server that takes an http.Handler can have it.
package web

import (
	"encoding/json"
	"io"
	"net/http"
)

// Greeting is the text.
const Greeting = "Hello, World!"

// Message is the object, which is made and encoded for each request.
type Message struct {
	Message string `json:"message"`
}

// Handler answers /json with the object, and all else with the text.
func Handler(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/json" {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(Message{Greeting}) // the client is gone: the server notices
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	_, _ = io.WriteString(w, Greeting)
}
