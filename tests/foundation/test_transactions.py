"""Where a transaction begins, who may only take part, and what may not happen inside."""

import pytest
from django.db import transaction

from foundation.queue import enqueue_on_commit
from foundation.transactions import part_of_transaction, refuse_inside_transaction, transactional


@transactional
def begin():
    return take_part()


@part_of_transaction
def take_part():
    return "done"


@pytest.mark.django_db
class TestTransactions:
    def test_a_part_runs_inside_the_transaction_of_its_caller(self):
        assert begin() == "done"

    def test_a_part_refuses_to_run_alone(self):
        with pytest.raises(RuntimeError, match="must run inside a transaction"):
            take_part()

    def test_a_beginning_refuses_to_be_nested(self):
        with transaction.atomic(), pytest.raises(RuntimeError):
            begin()

    def test_nothing_may_leave_the_process_inside_a_transaction(self):
        refuse_inside_transaction("a call to a venue")

        with transaction.atomic(), pytest.raises(RuntimeError, match="may not run inside"):
            refuse_inside_transaction("a call to a venue")

    def test_an_unknown_task_fails_where_it_is_sent_from(self):
        with pytest.raises(KeyError):
            enqueue_on_commit("nobody.knows_this")
