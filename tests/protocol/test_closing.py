from tailrace_protocol.closing import CloseReason


def test_a_client_comes_back_unless_the_stream_is_finished() -> None:
    assert {reason for reason in CloseReason if not reason.returns} == {CloseReason.FINISHED}
