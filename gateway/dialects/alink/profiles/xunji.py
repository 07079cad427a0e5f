"""XunJi: bare values in batches; commands come to the gateway and name the sub-device."""

from gateway.dialects.alink.profile import AlinkProfile, Auth, Downlink, Listens, Session

PROFILE = AlinkProfile(
    title="XunJi",
    sources=("domain.md S11 (north interface of a field unit)",),
    device_word="deviceKey",
    auth=Auth.SINK,
    session=Session.NONE,
    history=None,
    get=None,
    is_timed=False,
    downlink=Downlink.IDENTITY,
    listens=Listens.OWN,
)
