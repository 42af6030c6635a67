package kafkawire

// str is the text of a nullable string.
func str(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// nullable is the opposite: "" is null.
func nullable(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
