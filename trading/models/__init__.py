"""The tables of trading, one aggregate a module."""

from trading.models.decisions import DeploymentDecision, GroupDecision
from trading.models.deployments import (
    IDLE_STATES,
    ActualState,
    CommandKind,
    Deployment,
    DeploymentCommand,
    DeploymentInstrument,
    DeploymentRevision,
    DesiredState,
    Health,
    StopPolicy,
)
from trading.models.drift_reports import DriftReport, DriftStatus, DriftTrade
from trading.models.groups import GroupShard, SignalGroup
from trading.models.orders import Fill, IntentStatus, Order, OrderIntent, OrderTransition
from trading.models.positions import (
    AccountPosition,
    DeadManSwitch,
    DeploymentPosition,
    FundingCursor,
    FundingPayment,
    Reservation,
    SwapSetting,
)
from trading.models.reconciliations import ExternalOrder, ReconciliationReport
from trading.models.restrictions import (
    DatabaseMark,
    ProtectionLimits,
    ProtectionMark,
    ReleaseRule,
    RestrictionCause,
    RestrictionScope,
    RestrictionState,
    TradingRestriction,
)
from trading.models.starts import WorkerStart

__all__ = (
    "IDLE_STATES",
    "AccountPosition",
    "ActualState",
    "CommandKind",
    "DatabaseMark",
    "DeadManSwitch",
    "Deployment",
    "DeploymentCommand",
    "DeploymentDecision",
    "DeploymentInstrument",
    "DeploymentPosition",
    "DeploymentRevision",
    "DesiredState",
    "DriftReport",
    "DriftStatus",
    "DriftTrade",
    "ExternalOrder",
    "Fill",
    "FundingCursor",
    "FundingPayment",
    "GroupDecision",
    "GroupShard",
    "Health",
    "IntentStatus",
    "Order",
    "OrderIntent",
    "OrderTransition",
    "ProtectionLimits",
    "ProtectionMark",
    "ReconciliationReport",
    "ReleaseRule",
    "Reservation",
    "RestrictionCause",
    "RestrictionScope",
    "RestrictionState",
    "SignalGroup",
    "StopPolicy",
    "SwapSetting",
    "TradingRestriction",
    "WorkerStart",
)
