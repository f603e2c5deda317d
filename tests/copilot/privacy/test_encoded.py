import base64
from urllib.parse import quote

import pytest

from copilot.privacy import encoded
from incidents.intake.masking import mask

# In two parts, so that no scanner takes the test for a leak.
AWS = "AKIA" + "QWERTZUIOPASDFGH"
GITHUB = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"


def covered(text: str) -> str:
    return encoded.mask(text, mask_plain=mask)


@pytest.mark.parametrize("secret", [AWS, GITHUB, f"postgres://shop:{'hunter' * 2}@db/shop"])
def test_a_secret_in_base64_is_found(secret: str) -> None:
    once = base64.b64encode(f"key {secret}".encode()).decode()
    assert once not in covered(f"payload {once} stored")
    twice = base64.urlsafe_b64encode(once.encode()).decode()
    assert twice not in covered(f"payload {twice} stored")


def test_a_secret_in_percent_encoding_is_found() -> None:
    hidden = quote(f"next=/pay?password={'hunter2'}&n=1", safe="")
    assert "hunter2" not in covered(f"GET /login?{hidden}")
    ordinary = "GET /search?q=red%20shoes%26socks"
    assert covered(ordinary) == ordinary


@pytest.mark.parametrize("joint", ["\n", "\r\n", "\\n", '"\n    "', '" +\n  "', "\\\n"])
@pytest.mark.parametrize("secret", [AWS, GITHUB])
def test_a_key_that_a_line_end_breaks_is_found(secret: str, joint: str) -> None:
    text = covered(f"key={secret[:9]}{joint}{secret[9:]} used")
    assert secret[9:] not in text
    assert text.endswith("used")


@pytest.mark.parametrize(
    "ordinary",
    [
        "GET /api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication",
        "image sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "body aGVsbG8gd29ybGQsIHRoaXMgaXMgYSBwbGFpbiB0ZXh0",
        "first line\nsecond line of the same trace",
    ],
)
def test_ordinary_lines_stay(ordinary: str) -> None:
    assert covered(ordinary) == ordinary
