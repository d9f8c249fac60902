"""The Celery settings that the design rests on: a message is a hint and nothing else."""

from app.jobs import QUEUES, WORK, celery_app
from workers.hints import register


def test_hints_are_json_acknowledged_early_and_have_no_results() -> None:
    conf = celery_app("redis://nowhere").conf
    assert conf.accept_content == ["json"]
    assert conf.task_serializer == "json"
    assert conf.task_acks_late is False
    assert conf.task_ignore_result is True
    assert conf.result_backend is None
    assert conf.worker_concurrency == 1
    assert conf.broker_connection_max_retries is None
    assert {queue.name for queue in conf.task_queues} == set(QUEUES)
    assert conf.broker_transport_options == {
        "socket_timeout": 5,
        "socket_connect_timeout": 2,
        "health_check_interval": 5,
    }


def test_there_is_one_task_and_it_is_never_retried() -> None:
    app = celery_app("redis://nowhere")
    calls: list[int] = []

    def work() -> None:
        calls.append(1)

    register(app, work)
    assert [name for name in app.tasks if not name.startswith("celery.")] == [WORK]
    app.tasks[WORK]()
    assert calls == [1]
    assert app.tasks[WORK].max_retries == 0
    assert app.tasks[WORK].acks_late is False
