"""Puts the vocabulary of RO-Crate 1.1 into the cache from which rocrate-validator reads offline.

    python rocrate-context.py CONTEXT.jsonld CACHE

CACHE is what `rocrate-validator --cache-path` is given.
"""

import io
import pathlib
import sys

from requests.adapters import HTTPAdapter
from requests_cache import CachedSession
from urllib3 import HTTPResponse

URL = "https://w3id.org/ro/crate/1.1/context"


class Local(HTTPAdapter):
    """Answers every request with one document."""

    def __init__(self, document):
        super().__init__()
        self.document = document

    def send(self, request, **_):
        answer = HTTPResponse(
            body=io.BytesIO(self.document),
            headers={"Content-Type": "application/ld+json"},
            status=200,
            preload_content=False,
            request_url=request.url,
        )
        return self.build_response(request, answer)


def main():
    document, cache = pathlib.Path(sys.argv[1]).read_bytes(), sys.argv[2]
    with CachedSession(cache_name=cache, backend="sqlite", expire_after=-1) as session:
        session.mount(URL, Local(document))
        session.get(URL).raise_for_status()
        assert session.cache.contains(url=URL), "the context is not in the cache"


main()
