"""What no point may hold: biometrics, images, sound, numbers of identity documents.

Judged by what a point is called, when a profile, kind or site is loaded: such data must not enter
the gateway at all, whatever its class (PIPL art. 28 and 29; domain.md, section 3.5 rule 5). A truth
value holds none of it, so that `photo_fault: bool` may stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from gateway.settings.problems import Phrase, Problems
from gateway.settings.site import Point, ValueType

BIOMETRIC = "biometric"
IMAGE = "image"
SOUND = "sound"
IDENTITY = "identity"

_WORDS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "face",
            "faces",
            "facial",
            "faceid",
            "fingerprint",
            "fingerprints",
            "fingervein",
            "palmprint",
            "palmvein",
            "iris",
            "retina",
            "retinal",
            "voiceprint",
            "biometric",
            "biometrics",
            "gait",
        ),
        BIOMETRIC,
    ),
    **dict.fromkeys(
        (
            "photo",
            "photos",
            "photograph",
            "picture",
            "pictures",
            "image",
            "images",
            "img",
            "jpeg",
            "jpg",
            "snapshot",
            "snapshots",
            "video",
            "videos",
            "portrait",
        ),
        IMAGE,
    ),
    **dict.fromkeys(("audio", "recording", "recordings", "soundtrack", "wav", "mp3"), SOUND),
    **dict.fromkeys(("idcard", "ssn", "passport", "idnumber", "idno"), IDENTITY),
}
_PHRASES: Mapping[str, str] = {
    "id_card": IDENTITY,
    "id_no": IDENTITY,
    "id_number": IDENTITY,
    "identity_card": IDENTITY,
    "identity_number": IDENTITY,
    "voice_sample": BIOMETRIC,
    "voice_record": SOUND,
}
"""Words of an id that only together say it."""
_CHINESE: Mapping[str, str] = {
    **dict.fromkeys(
        ("人脸", "面部特征", "指纹", "指静脉", "掌纹", "掌静脉", "虹膜", "声纹"), BIOMETRIC
    ),
    **dict.fromkeys(("照片", "图片", "图像", "抓拍", "视频", "影像"), IMAGE),
    **dict.fromkeys(("录音", "音频"), SOUND),
    **dict.fromkeys(("身份证", "护照号", "证件号"), IDENTITY),
}
_KINDS: Mapping[str, str] = {
    BIOMETRIC: "deny_biometric",
    IMAGE: "deny_image",
    SOUND: "deny_sound",
    IDENTITY: "deny_identity",
}


def forbidden(point_id: str, value_type: ValueType, titles: Iterable[str] = ()) -> str | None:
    """Return what a point of this name would hold that it must not; None when it may stay.

    Titles count for texts only: what people are shown beside a number says little of it.
    """
    if value_type is ValueType.BOOL:
        return None
    found = _in_words(point_id)
    if found is None and value_type is ValueType.TEXT:
        said = list(titles)
        found = next((why for title in said if (why := _in_title(title)) is not None), None)
    return found


def check_forbidden(points: Iterable[Point], problems: Problems, path: str = "points") -> None:
    """Report every point that must not be."""
    for point in points:
        why = forbidden(point.id, point.type, point.title.values())
        if why is not None:
            what = Phrase(_KINDS[why])
            problems.add("LG-DENY-01", point.where, f"{path}.{point.id}", name=point.id, what=what)


def _in_words(text: str) -> str | None:
    words = [word for word in re.split(r"[^a-z]+", text.lower()) if word]
    joined = "_".join(words)
    for phrase, why in _PHRASES.items():
        if re.search(rf"(?:^|_){phrase}(?:_|$)", joined):
            return why
    return next((_WORDS[word] for word in words if word in _WORDS), None)


def _in_title(title: str) -> str | None:
    chinese = next((why for word, why in _CHINESE.items() if word in title), None)
    return chinese or _in_words(title)
