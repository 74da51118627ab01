import tailrace_producer


def test_public_names() -> None:
    assert tailrace_producer.__all__ == [
        "Job",
        "JobEnded",
        "NewEvent",
        "Producer",
        "Settings",
        "SyncJob",
        "SyncProducer",
    ]
    assert all(hasattr(tailrace_producer, name) for name in tailrace_producer.__all__)
