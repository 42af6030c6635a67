package wire

var crlf = []byte("\r\n")
