"""TEXT in any encoding of the web: detect the encoding, decode, encode (https://encoding.spec.whatwg.org/). Pure."""
