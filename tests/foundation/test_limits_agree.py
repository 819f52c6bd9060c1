"""Durations that depend on one another are in the right order."""

from celery import current_app


def test_no_message_is_delivered_again_while_its_task_may_still_run(settings):
    current_app.loader.import_default_modules()
    ours = [task for name, task in current_app.tasks.items() if not name.startswith("celery.")]
    longest = max(task.time_limit or settings.CELERY_TASK_TIME_LIMIT for task in ours)

    assert len(ours) > 10
    assert settings.CELERY_BROKER_TRANSPORT_OPTIONS["visibility_timeout"] > longest


def test_a_task_is_warned_before_it_is_killed(settings):
    current_app.loader.import_default_modules()

    for name, task in current_app.tasks.items():
        soft = task.soft_time_limit or settings.CELERY_TASK_SOFT_TIME_LIMIT
        hard = task.time_limit or settings.CELERY_TASK_TIME_LIMIT
        assert soft < hard, name


def test_a_statement_gives_up_before_the_task_that_waits_for_it(settings):
    options = settings.DATABASES["default"]["OPTIONS"]["options"]
    limit_ms = int(options.partition("statement_timeout=")[2].split()[0])

    assert limit_ms < settings.CELERY_TASK_SOFT_TIME_LIMIT * 1_000
