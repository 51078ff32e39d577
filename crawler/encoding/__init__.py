"""TEXT in any encoding of the web: find it out, decode it, encode it (https://encoding.spec.whatwg.org/). Pure."""
