"""What a worker does with a check: claim it, compute it, write the report down."""

from backtesting.domain.checks import CheckReport
from backtesting.models import StrategyCheck
from backtesting.selectors import specifications
from backtesting.services import checks
from backtesting.services.claims import Claim
from backtesting.services.execution import CandlesChangedError
from foundation import tenancy
from foundation.transactions import transactional


def execute_check(*, check_id: int) -> None:
    """Compute a waiting check and store its report; do nothing if it does not wait any more.

    A violation is a result, not a failure.
    """
    claim = Claim.take(StrategyCheck.objects.all(), pk=check_id)
    if claim is None:
        return
    check = StrategyCheck.objects.select_related(
        "strategy_version__strategy", "instrument__venue"
    ).get(pk=check_id)
    with tenancy.scope(check.owner_id):
        claim.carry_out(lambda: _store(claim=claim, report=_compute(check, claim)))


def _compute(check: StrategyCheck, claim: Claim) -> CheckReport:
    specification = specifications.specification_of(check)
    if specifications.data_version_now(specification) != check.data_version:
        raise CandlesChangedError
    return checks.compute(specification, progress=claim.progress_or_stop)


@transactional
def _store(*, claim: Claim, report: CheckReport) -> None:
    """Write the report, unless the claim is void."""
    claim.finish(
        verdict=report.verdict.value,
        results=report.to_json(),
        bar_count=report.bar_count,
        data_fingerprint=report.data_fingerprint,
    )
