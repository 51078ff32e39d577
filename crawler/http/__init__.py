"""HTTP MESSAGES as bytes: head, framing, content codings, media type, lines and events (RFC 9110, RFC 9112). Pure.

Besides, the headers of authorization, redirects and retries; and cookies (RFC 6265): where one goes, what a server
sets, and what is kept.
"""
