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

# Pinyin and its initials as well: who reads Chinese names points so.
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
            "renlian",
            "zhiwen",
            "hongmo",
            "shengwen",
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
            "selfie",
            "avatar",
            "pic",
            "pics",
            "zhaopian",
        ),
        IMAGE,
    ),
    **dict.fromkeys(("audio", "recording", "recordings", "soundtrack", "wav", "luyin"), SOUND),
    **dict.fromkeys(
        (
            "idcard",
            "ssn",
            "passport",
            "idnumber",
            "idno",
            "idnum",
            "shenfenzheng",
            "sfz",
            "sfzh",
            "sfzhm",
            "zjhm",
        ),
        IDENTITY,
    ),
}
_PHRASES: Mapping[str, str] = {
    "id_card": IDENTITY,
    "id_no": IDENTITY,
    "id_number": IDENTITY,
    "id_num": IDENTITY,
    "citizen_id": IDENTITY,
    "national_id": IDENTITY,
    "identity_card": IDENTITY,
    "identity_number": IDENTITY,
    "voice_sample": BIOMETRIC,
    "voice_record": SOUND,
}
"""Words of an id that only together say it."""
_OF_DEVICES = frozenset({"id_no", "id_num", "id_number"})
"""What titles say of devices as well: `ID number of the meter`."""
_CHINESE: Mapping[str, str] = {
    **dict.fromkeys(
        ("人脸", "面部特征", "面容", "指纹", "指静脉", "掌纹", "掌静脉", "虹膜", "声纹"), BIOMETRIC
    ),
    **dict.fromkeys(
        ("照片", "相片", "图片", "图像", "头像", "人像", "抓拍", "视频", "影像"), IMAGE
    ),
    **dict.fromkeys(("录音", "音频"), SOUND),
    **dict.fromkeys(("身份证", "身份号码", "护照号", "证件号"), IDENTITY),
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


def _in_words(text: str, without: frozenset[str] = frozenset()) -> str | None:
    words = [word for word in re.split(r"[^a-z]+", text.lower()) if word]
    joined = "_".join(words)
    for phrase, why in _PHRASES.items():
        if phrase not in without and re.search(rf"(?:^|_){phrase}(?:_|$)", joined):
            return why
    return next((_WORDS[word] for word in words if word in _WORDS), None)


def _in_title(title: str) -> str | None:
    chinese = next((why for word, why in _CHINESE.items() if word in title), None)
    return chinese or _in_words(title, _OF_DEVICES)
