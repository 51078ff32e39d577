"""HTTP MESSAGES as bytes: the head, the framing, the content codings, the media type (RFC 9110, RFC 9112). Pure."""
