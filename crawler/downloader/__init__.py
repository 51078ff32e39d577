"""FETCHES over HTTP: one request in, one response out, within limits of time, size and address.

- The library's client: `client.py`, for code without a loop `blocking.py`; its options `client_options.py`; one request
  of a user `request_options.py`, its body `request_body.py`, forms with files `multipart.py`; its answer `fetched.py`,
  as it comes `open_answer.py`, `open_body.py`, into a file `download.py`; redirects and retries `redirect_chain.py`,
  `redirection.py`; credentials that are computed `auth.py`; hooks `hooks.py`; places of single calls `call_places.py`;
  many URLs at once `stream.py`, `stream_turn.py`, `stream_answers.py`.
- The ways to send a request: `transport.py`; a session of aiohttp that the user brings `session.py`, its errors
  `session_failures.py`; stand-ins for the network `responder.py`, an ASGI application `asgi.py`, its startup and
  shutdown `asgi_lifespan.py`; whole bodies out of pieces `pieces.py`.
- One fetch: `fetcher.py`; its body `body.py`, read as it comes `flow.py`; timeouts and phases `timing.py`; errors
  `failures.py`.
- The request: user agent, credentials and all other headers `headers.py`; the cookie jar `cookie_jar.py`, the user's
  file of cookies `cookies_file.py`, those told to a crawl `told_cookies.py`.
- The route to a server, straight, through a proxy or by a unix socket: `routes.py`, `no_proxy.py`; one proxy
  `proxy.py`; the dial through it `proxy_dialing.py`, its first bytes `proxy_line.py`, HTTP's CONNECT `tunnel.py`, SOCKS
  `socks.py`.
- Connections: the pool `pool.py`; keep-alive `keep_alive.py`; new ones `dialing.py`; their sockets, happy eyeballs
  and the address policy `sockets.py`; certificates `tls.py`; one connection, first byte and idle `connection.py`.
- DNS: the resolver `dns.py`, which `late_resolver.py` makes for the first name, `host_names.py`; its cache
  `dns_cache.py`; one lookup `dns_lookup.py`; name servers `dns_servers.py`; their outages `dns_outage.py`; /etc/hosts
  `hosts_file.py`.
"""
