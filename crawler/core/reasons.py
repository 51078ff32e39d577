"""The machine-readable reasons for the end of a URL, with their consequences.

Rules
- A reason belongs to exactly one state (done, failed, skipped) or names a line that never became a URL.
- Whether a failure is worth another try, and whether the host is to blame, is decided here and nowhere else.
Runs on: anywhere (pure).
"""

from enum import StrEnum


class Reason(StrEnum):
    """The reason for the end of a URL, or of a line of a list; the files of a run show its value."""

    # done: a final response was received
    OK = "ok"
    REDIRECT = "redirect"
    HTTP_STATUS = "http_status"  # a final status outside 2xx that is no redirect, such as 404
    BODY_LIMIT = "body_limit"  # cut at --max-body; the received part is kept
    DECODED_LIMIT = "decoded_limit"  # the content coding unpacks to more than the decoded limit
    DECODE_ERROR = "decode_error"  # a content coding is damaged, or the body is packed or binary and should be text
    PARSE_TIMEOUT = "parse_timeout"  # reading it took too long; the received bytes are kept
    PARSE_CRASH = "parse_crash"  # reading it ended its process
    PARSE_MEMORY = "parse_memory"  # reading it took too much memory
    EXTRACT_ERROR = "extract_error"  # the user's own function raised
    LINK_LIMIT = "link_limit"  # it has more links than are taken; the first ones are
    DATA_LIMIT = "data_limit"  # it gives more data than is taken
    PARTIAL_CONTENT = "partial_content"  # the server sent a part that was not asked for
    XML_ERROR = "xml_error"  # its XML is not well-formed, declares entities or lists nothing that counts
    NOT_A_SITEMAP = "not_a_sitemap"  # it was listed as a sitemap and is none
    BAD_ENTRIES = "bad_entries"  # some entries of a listed sitemap are no URL; the rest was taken

    # failed: no usable response
    DNS_NOT_FOUND = "dns_not_found"
    DNS_TEMPORARY = "dns_temporary"
    DNS_TIMEOUT = "dns_timeout"
    CONNECT_REFUSED = "connect_refused"
    CONNECT_TIMEOUT = "connect_timeout"
    CONNECT_FAILED = "connect_failed"
    CONNECTION_LOST = "connection_lost"
    TLS_EXPIRED = "tls_expired"
    TLS_HOSTNAME = "tls_hostname"
    TLS_UNTRUSTED = "tls_untrusted"
    TLS_FAILED = "tls_failed"
    FIRST_BYTE_TIMEOUT = "first_byte_timeout"
    IDLE_TIMEOUT = "idle_timeout"
    TOTAL_TIMEOUT = "total_timeout"
    TRUNCATED = "truncated"
    PROTOCOL_ERROR = "protocol_error"
    HEADER_LIMIT = "header_limit"
    BLOCKED_ADDRESS = "blocked_address"
    PROXY_FAILED = "proxy_failed"
    CLIENT_LIMIT = "client_limit"  # this machine ran out of files, ports or memory
    RETRY_STATUS = "retry_status"  # 408, 425, 429, 500, 502, 503 or 504, also after the last retry
    REDIRECT_LOOP = "redirect_loop"  # it leads to itself, or closes a circle
    REDIRECT_LIMIT = "redirect_limit"  # where redirects are followed at once, as the library's Fetcher does
    BAD_REDIRECT = "bad_redirect"  # a Location that is no URL we fetch
    ROBOTS_UNREACHABLE = "robots_unreachable"
    SUSPECT = "suspect"  # the process died several times while this URL was in flight alone

    # skipped: never requested
    ROBOTS_DENIED = "robots_denied"
    OUT_OF_SCOPE = "out_of_scope"
    DEPTH_LIMIT = "depth_limit"
    HOP_LIMIT = "hop_limit"  # more redirects and refreshes in a row lead here than are followed
    SITEMAP_LIMIT = "sitemap_limit"  # sitemaps that list sitemaps that list sitemaps...
    HTTP_INSTEAD = "http_instead"  # a line without a scheme: no server answered over https, so http is asked
    NOFOLLOW = "nofollow"  # the page, or each link to it, asks robots not to follow
    EXCLUDED = "excluded"
    NOT_INCLUDED = "not_included"  # --include is given, and no pattern matches
    TRAP_URL_LENGTH = "trap_url_length"
    TRAP_PATH_DEPTH = "trap_path_depth"
    TRAP_REPEATED_SEGMENTS = "trap_repeated_segments"
    TRAP_QUERY_PARAMETERS = "trap_query_parameters"
    TRAP_QUERY_PERMUTATIONS = "trap_query_permutations"
    TRAP_QUERY_VARIANTS = "trap_query_variants"
    TRAP_SESSION_ID = "trap_session_id"
    TRAP_CALENDAR = "trap_calendar"
    TRAP_HOST_SIZE = "trap_host_size"

    # lines of a list that never became a URL
    NOT_A_URL = "not_a_url"
    RELATIVE_URL = "relative_url"
    UNSUPPORTED_SCHEME = "unsupported_scheme"
    URL_TOO_LONG = "url_too_long"
    BLOCKED_PORT = "blocked_port"
    CREDENTIALS_IN_URL = "credentials_in_url"
    NOT_UTF8 = "not_utf8"
    LINE_TOO_LONG = "line_too_long"
    NO_COLUMN = "no_column"  # a row without the column that --column names
    DUPLICATE = "duplicate"

    @property
    def is_transient(self) -> bool:
        """Return True when the same request may well succeed later."""
        return self in _TRANSIENT

    @property
    def is_unread(self) -> bool:
        """Return True when there was a final response that was not read, or not in full."""
        return self in UNREAD

    @property
    def blames_host(self) -> bool:
        """Return True when the host could not be reached: such failures count towards giving it up."""
        return self in _BLAMES_HOST


UNREAD = frozenset(
    {
        Reason.BODY_LIMIT,
        Reason.DECODED_LIMIT,
        Reason.DECODE_ERROR,
        Reason.PARSE_TIMEOUT,
        Reason.PARSE_CRASH,
        Reason.PARSE_MEMORY,
        Reason.EXTRACT_ERROR,
        Reason.LINK_LIMIT,
        Reason.DATA_LIMIT,
        Reason.XML_ERROR,
        Reason.NOT_A_SITEMAP,
        Reason.PARTIAL_CONTENT,
        Reason.BAD_ENTRIES,
    }
)
_DIAL_FAILURES = frozenset(
    {
        Reason.DNS_TEMPORARY,
        Reason.DNS_TIMEOUT,
        Reason.CONNECT_REFUSED,
        Reason.CONNECT_TIMEOUT,
        Reason.CONNECT_FAILED,
        Reason.TLS_FAILED,
    }
)
_BLAMES_HOST = _DIAL_FAILURES | {Reason.DNS_NOT_FOUND, Reason.TLS_EXPIRED, Reason.TLS_HOSTNAME, Reason.TLS_UNTRUSTED}
_TRANSIENT = _DIAL_FAILURES | {
    Reason.CONNECTION_LOST,
    Reason.FIRST_BYTE_TIMEOUT,
    Reason.IDLE_TIMEOUT,
    Reason.TOTAL_TIMEOUT,
    Reason.TRUNCATED,
    Reason.PROXY_FAILED,
    Reason.CLIENT_LIMIT,
    Reason.RETRY_STATUS,
    Reason.ROBOTS_UNREACHABLE,
}
