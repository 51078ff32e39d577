"""FETCHES over HTTP: one request in, one response out, within limits of time, size and address.

- The library's client: `client.py`, for code without a loop `blocking.py`; its options `client_options.py`; one request
  of a user `request_options.py`; its answer `fetched.py`; redirects `redirection.py`; many URLs at once `stream.py`,
  `stream_turn.py`, `stream_answers.py`; a session of aiohttp that the user brings `session.py`, its errors
  `session_failures.py`.
- Besides: `multipart.py`, `request_body.py`.
- One fetch: `fetcher.py`; its body `body.py`; timeouts and phases `timing.py`; errors `failures.py`.
- The request: user agent, credentials and all other headers `headers.py`; cookies `cookies.py`, their jar
  `cookie_jar.py`, the user's file `cookies_file.py`, those told to a crawl `told_cookies.py`, those that servers set
  `set_cookie.py`; the proxy `proxy.py`.
- Connections: the pool `pool.py`; keep-alive `keep_alive.py`; new ones, happy eyeballs and the address policy
  `dialing.py`, through a proxy `tunnel.py`; certificates `tls.py`; one connection, first byte and idle `connection.py`.
- DNS: the resolver `dns.py`, which `late_resolver.py` makes for the first name, `host_names.py`; its cache
  `dns_cache.py`; one lookup `dns_lookup.py`; name servers `dns_servers.py`; their outages `dns_outage.py`; /etc/hosts
  `hosts_file.py`.
"""
