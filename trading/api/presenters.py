"""Deployments and what they did as JSON: exact decimals as text, instants in UTC."""

from decimal import Decimal
from typing import Any

from backtesting.reports import instant, plain
from trading.models import Deployment, DeploymentCommand, DeploymentPosition, Fill, Order
from trading.selectors import holdings, results
from trading.selectors.decisions import DecisionView


def present_deployment(deployment: Deployment) -> dict[str, Any]:
    """Return everything about a deployment but its lists, which have addresses of their own."""
    instrument = holdings.instrument_of(deployment)
    account, version = deployment.account, deployment.strategy_version
    is_universe = holdings.is_universe(deployment)
    return {
        "id": str(deployment.public_id),
        "name": deployment.name,
        "strategy": version.strategy.slug,
        "strategy_version": version.number,
        "account": {
            "id": str(account.public_id),
            "label": account.label,
            "kind": account.kind,
            "venue": account.venue.code,
            "real_money": account.kind == "LIVE" and account.venue.real_money,
            "permissions_unverified": account.is_unverified,
        },
        "symbol": None if is_universe else instrument.symbol,
        "symbols": [each.symbol for each in holdings.instruments_of(deployment)],
        "timeframe": deployment.timeframe,
        "currency": instrument.settle,
        "capital": plain(deployment.capital),
        "stop_policy": deployment.stop_policy,
        "desired_state": deployment.desired_state,
        "actual_state": deployment.actual_state,
        "health": deployment.health,
        "health_code": deployment.health_code,
        "health_message": deployment.health_message,
        "position": None if is_universe else _position(holdings.position_of(deployment)),
        "positions": [
            {"symbol": row.instrument.symbol, **_position(row)}
            for row in holdings.positions_of(deployment)
        ],
        "pnl": _pnl(deployment),
        "version": deployment.version,
        "created_at": instant(deployment.created_at),
        "started_at": instant(deployment.started_at),
        "stopped_at": instant(deployment.stopped_at),
    }


def present_order(order: Order) -> dict[str, Any]:
    """Return an order with its steps, oldest first."""
    return {
        "id": str(order.public_id),
        "client_order_id": order.client_order_id,
        "venue_order_id": order.venue_order_id or None,
        "attempt": order.attempt,
        "symbol": order.instrument.symbol,
        "leg": order.leg,
        "side": order.side,
        "type": order.order_type,
        "status": order.status,
        "reason_code": order.reason_code or None,
        "reason_message": order.reason_message or None,
        "quantity": plain(order.quantity),
        "price": _plain(order.price),
        "trigger_price": _plain(order.trigger_price),
        "filled_quantity": plain(order.filled_quantity),
        "average_price": _plain(order.average_price),
        "submitted_at": instant(order.submitted_at),
        "finished_at": instant(order.finished_at),
        "transitions": [
            {"from": step.from_status or None, "to": step.to_status, "at": instant(step.at)}
            for step in order.transitions.all()
        ],
    }


def present_fill(fill: Fill) -> dict[str, Any]:
    """Return an execution; ``realized_pnl`` is before fees."""
    return {
        "venue_trade_id": fill.venue_trade_id,
        "order_id": str(fill.order.public_id),
        "symbol": fill.instrument.symbol,
        "side": fill.side,
        "quantity": plain(fill.quantity),
        "price": plain(fill.price),
        "fee": plain(fill.fee),
        "fee_currency": fill.fee_currency,
        "realized_pnl": plain(fill.realized_pnl),
        "liquidity": fill.liquidity,
        "is_manual": fill.is_manual,
        "at": instant(fill.venue_at),
    }


def present_decision(decision: DecisionView) -> dict[str, Any]:
    """Return a decision with its sentence."""
    return {
        "bar_close_at": instant(decision.bar_close_at),
        "symbol": decision.symbol,
        "reason": decision.reason.value,
        "sentence": decision.sentence,
    }


def present_command(command: DeploymentCommand) -> dict[str, Any]:
    """Return a command and how far it is."""
    return {
        "id": str(command.public_id),
        "kind": command.kind,
        "idempotency_key": command.idempotency_key,
        "status": "DONE" if command.done_at else "OPEN",
        "outcome": command.outcome or None,
        "requested_at": instant(command.requested_at),
        "done_at": instant(command.done_at),
    }


def _position(row: DeploymentPosition | None) -> dict[str, Any]:
    is_flat = row is None or not row.quantity
    return {
        "quantity": plain(row.quantity) if row else "0",
        "average_price": _plain(row.average_price) if row and not is_flat else None,
        "stop_price": _plain(row.stop_price) if row else None,
        "target_price": _plain(row.target_price) if row else None,
        "last_price": _plain(row.last_price) if row else None,
        "last_price_at": instant(row.last_price_at) if row else None,
        "opened_at": instant(row.opened_at) if row else None,
    }


def _pnl(deployment: Deployment) -> dict[str, str]:
    result = results.result_of(deployment.positions.all())
    return {
        "realized": plain(result.realized),
        "unrealized": plain(result.unrealized),
        "fees": plain(result.fees),
        "funding": plain(result.funding),
        "net": plain(result.net),
    }


def _plain(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)
