import tailrace_producer


def test_public_names() -> None:
    assert tailrace_producer.__all__ == [
        "Job",
        "JobCancelled",
        "JobEnded",
        "NewEvent",
        "Producer",
        "Settings",
        "Step",
        "SyncJob",
        "SyncProducer",
        "SyncStep",
        "SyncTextStream",
        "TextEnded",
        "TextStream",
        "WrongEventLoop",
        "current_job",
    ]
    assert all(hasattr(tailrace_producer, name) for name in tailrace_producer.__all__)
