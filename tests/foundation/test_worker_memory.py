import gc

from celery.signals import worker_before_create_process


def test_a_worker_sets_aside_what_is_loaded_before_it_makes_a_process():
    loaded = [[number] for number in range(10_000)]
    before = gc.get_freeze_count()

    worker_before_create_process.send(sender=None)

    assert gc.get_freeze_count() >= before + len(loaded)
