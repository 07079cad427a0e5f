"""EnOS: measuring points instead of properties, batches as a list, its own signature."""

from gateway.dialects.alink.profile import AlinkProfile, Auth, EventForm, Form, Session

PROFILE = AlinkProfile(
    title="EnOS",
    sources=(
        "domain.md S6",
        "support.enos-iot.com/docs/device-connection: nonsdk_login",
        "…: connect_subdevices, batch_connect_subdevices",
        "…: report_points_batch, report_offline_points_batch, report_event_nopass",
        "…: set_points, invoke_services",
    ),
    device_word="deviceKey",
    auth=Auth.ENOS,
    session=Session.ENOS,
    post=None,
    pack="thing/measurepoint/post/batch",
    history="thing/measurepoint/resume/batch",
    set="thing/service/measurepoint/set",
    get=None,
    form=Form.ENTRIES,
    event_form=EventForm.ENOS,
    events_in_pack=False,
)
