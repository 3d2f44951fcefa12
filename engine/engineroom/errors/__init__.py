"""Every exception Engineroom raises, each with a stable code.

    Exception
    ├── Warning                          PEP 249's; never raised by us today
    └── Error                            ER2000
        ├── InterfaceError               ER2001  a fault on this side of the database
        │   ├── LoadError                ER1000  also an ImportError
        │   │   ├── EngineDamaged, MuslEngineOnGlibc, ...  ER1003, see engines.py
        │   │   ├── UnsupportedPlatform  ER1001
        │   │   │   └── CpuUnsupported, LibcTooOld, PythonIs32Bit, ...
        │   │   └── SettingError         ER1200
        │   ├── MissingExtra             ER1002  also an ImportError
        │   ├── ConnectionClosed         ER2301
        │   ├── CursorClosed             ER2302
        │   ├── NotConnected             ER2601  a client, see client.py
        │   │   └── ClientClosed         ER2602
        │   └── LeaseEnded               ER2609
        ├── DatabaseError                ER2002
        │   ├── DataError                ER2003
        │   │   └── OutOfRange, NotUtf8, NotOfDeclaredType, ValueTooBig
        │   ├── OperationalError         ER2004
        │   │   └── FileMissing, FileUnreadable, DatabaseLocked, Interrupted,
        │   │       ReadOnly, StorageFailed, OutOfMemory (also a MemoryError)
        │   ├── IntegrityError           ER2005
        │   │   └── ConstraintViolated   ER2209
        │   ├── InternalError            ER2006
        │   ├── ProgrammingError         ER2007
        │   │   └── UrlError, SqlError (SeveralStatements), ParameterError,
        │   │       ParameterTypeUnsupported, Misuse, UsedByAnotherThread,
        │   │       UsedAfterFork, UsedByAnotherLoop
        │   ├── NotSupportedError        ER2008
        │   ├── ConnectionTrouble        ER2105  below OperationalError, as is TimedOut
        │   │   ├── ConnectFailed (AuthenticationFailed, TlsFailed, ...)
        │   │   └── ConnectionLost (AdminShutdown, ...), ProtocolViolation
        │   ├── a client's own           ER26xx  each below the class it is a kind of
        │   │   └── WarmUpFailed, WarmUpTimedOut, CredentialsFailed, PoolExhausted,
        │   │       DeadlineExceeded, StateMoveRefused, StalePlan, OptionRefused
        │   ├── one for each other class of SQLSTATE     ER24xx, see postgres.py
        │   ├── one for each SQLSTATE waited for         ER245x, see sqlstates.py
        │   ├── NotADatabase             ER2104
        │   └── DatabaseCorrupt          ER2214
        ├── MetricsUnreachable           ER2612
        ├── MetricsNotUnderstood         ER2613
        ├── RepeatedQueries              ER2620  also an AssertionError
        ├── TargetError                  ER1100  platforms.toml, target names
        │   ├── UnknownTarget, NoNativeTarget
        │   └── ManifestError            ER1110
        │       └── ManifestUnknownKey, ManifestImpossibleFloor, ...
        ├── MalformedBinary              ER1300  a file that is no ELF or Mach-O
        ├── CheckError                   ER1400  a repository that cannot be checked
        │   └── CheckPathMissing, CheckNeedsGit, CheckUnwritable
        └── StoreError                   ER3000  the artifact store
            ├── StoreAddressInvalid, StoreMissing, StoreUnreadable, ...
            ├── RemoteError          ER3010  a bucket
            │   └── BucketMissing, RemoteForbidden, RemoteUnreachable, ...
            ├── SigningError         ER3400  signatures and keys of a store
            │   └── SignatureWrong, SignatureExpired, KeyUnknown, PageNotSigned, ...
            ├── Flaw                 ER3500  found by `engineroom store verify`
            │   └── EntryChanged, BlobMissing, PageRolledBack, ObjectStray, ...
            ├── MirrorMismatch       ER3520
            │   MirrorDiverged, MirrorAhead, PromotionRefused
            ├── FetchError           ER3200  `engineroom fetch`
            │   ├── SourceFailed     ER3210
            │   │   └── SourceForbidden, SourceTlsFailed, DownloadHashWrong, ...
            │   └── SourcesFailed, EnginesMissing, LockDiffers, ShelfBusy, ...
            ├── ServeError           ER3300  `engineroom store serve`
            │   └── ServeAddressUnusable, ServeTokenRefused, ...
            └── PublishError             ER3100
                ├── WheelRefused         ER3101
                │   └── WheelNameRefused, WheelBroken, WheelTagWrong, ...
                ├── FileNameTaken        ER3110
                ├── FileWithdrawn, ProjectQuarantined, ChannelInvalid, UploadTooOld
                └── NoPythonAllowed, ReleaseIncomplete, ReleaseUnresolvable

A code is never given to a second meaning: 1xxx load and platform, 2xxx connection
and query, 3xxx store, publish, fetch and signing. Fields come first and the sentence is
made from them, so that a caller can act on `error.path` and never has to read the
words.

The base and PEP 249's classes are here; the rest lies in one file for each area and is
imported when a name of it is first used, because seventy classes cost a fifth of the
time to a first answer, there are more than that, and most programs never see one.
The file is long because every name stands in it twice: once for type checkers, which
follow no table, and once for what imports it when the program runs.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar

    from engineroom.errors.check import CheckError as CheckError
    from engineroom.errors.check import CheckNeedsGit as CheckNeedsGit
    from engineroom.errors.check import CheckPathMissing as CheckPathMissing
    from engineroom.errors.check import CheckUnwritable as CheckUnwritable
    from engineroom.errors.client import ClientClosed as ClientClosed
    from engineroom.errors.client import CredentialsFailed as CredentialsFailed
    from engineroom.errors.client import DeadlineExceeded as DeadlineExceeded
    from engineroom.errors.client import LeaseEnded as LeaseEnded
    from engineroom.errors.client import MetricsNotUnderstood as MetricsNotUnderstood
    from engineroom.errors.client import MetricsUnreachable as MetricsUnreachable
    from engineroom.errors.client import NotConnected as NotConnected
    from engineroom.errors.client import OptionRefused as OptionRefused
    from engineroom.errors.client import PoolExhausted as PoolExhausted
    from engineroom.errors.client import StalePlan as StalePlan
    from engineroom.errors.client import StateMoveRefused as StateMoveRefused
    from engineroom.errors.client import WarmUpFailed as WarmUpFailed
    from engineroom.errors.client import WarmUpTimedOut as WarmUpTimedOut
    from engineroom.errors.engines import AbiMismatch as AbiMismatch
    from engineroom.errors.engines import AndroidUnsupported as AndroidUnsupported
    from engineroom.errors.engines import BackendMismatch as BackendMismatch
    from engineroom.errors.engines import BackendUnknown as BackendUnknown
    from engineroom.errors.engines import BuildMismatch as BuildMismatch
    from engineroom.errors.engines import CffiMissing as CffiMissing
    from engineroom.errors.engines import CpuUnsupported as CpuUnsupported
    from engineroom.errors.engines import EngineDamaged as EngineDamaged
    from engineroom.errors.engines import EngineForOtherCpu as EngineForOtherCpu
    from engineroom.errors.engines import EngineForOtherSystem as EngineForOtherSystem
    from engineroom.errors.engines import EngineListDamaged as EngineListDamaged
    from engineroom.errors.engines import EngineListMissing as EngineListMissing
    from engineroom.errors.engines import EngineMissing as EngineMissing
    from engineroom.errors.engines import EngineNeedsNewerLibc as EngineNeedsNewerLibc
    from engineroom.errors.engines import EngineNotInstalled as EngineNotInstalled
    from engineroom.errors.engines import EngineNotLoadable as EngineNotLoadable
    from engineroom.errors.engines import EnginesForOthersOnly as EnginesForOthersOnly
    from engineroom.errors.engines import EngineTruncated as EngineTruncated
    from engineroom.errors.engines import EngineUnreadable as EngineUnreadable
    from engineroom.errors.engines import FreeBsdUnsupported as FreeBsdUnsupported
    from engineroom.errors.engines import (
        FreeThreadedUnsupported as FreeThreadedUnsupported,
    )
    from engineroom.errors.engines import GlibcEngineOnMusl as GlibcEngineOnMusl
    from engineroom.errors.engines import LibcTooOld as LibcTooOld
    from engineroom.errors.engines import LibcUnknown as LibcUnknown
    from engineroom.errors.engines import LibraryMissing as LibraryMissing
    from engineroom.errors.engines import LoadingForbidden as LoadingForbidden
    from engineroom.errors.engines import MuslEngineOnGlibc as MuslEngineOnGlibc
    from engineroom.errors.engines import NoexecMount as NoexecMount
    from engineroom.errors.engines import NotAnEngine as NotAnEngine
    from engineroom.errors.engines import OpensslMissing as OpensslMissing
    from engineroom.errors.engines import OpensslNotServed as OpensslNotServed
    from engineroom.errors.engines import PlaceUnsafe as PlaceUnsafe
    from engineroom.errors.engines import PythonIs32Bit as PythonIs32Bit
    from engineroom.errors.engines import PythonIsTranslated as PythonIsTranslated
    from engineroom.errors.engines import PythonNotCPython as PythonNotCPython
    from engineroom.errors.engines import TargetExcluded as TargetExcluded
    from engineroom.errors.engines import VersionMismatch as VersionMismatch
    from engineroom.errors.engines import WindowsUnsupported as WindowsUnsupported
    from engineroom.errors.faults import Fault as Fault
    from engineroom.errors.fetch import DownloadBroken as DownloadBroken
    from engineroom.errors.fetch import DownloadHashWrong as DownloadHashWrong
    from engineroom.errors.fetch import DownloadTruncated as DownloadTruncated
    from engineroom.errors.fetch import EnginesMissing as EnginesMissing
    from engineroom.errors.fetch import FetchError as FetchError
    from engineroom.errors.fetch import LockDiffers as LockDiffers
    from engineroom.errors.fetch import LockUnreadable as LockUnreadable
    from engineroom.errors.fetch import ShelfBusy as ShelfBusy
    from engineroom.errors.fetch import ShelfUnwritable as ShelfUnwritable
    from engineroom.errors.fetch import SourceAddressInvalid as SourceAddressInvalid
    from engineroom.errors.fetch import SourceFailed as SourceFailed
    from engineroom.errors.fetch import SourceForbidden as SourceForbidden
    from engineroom.errors.fetch import SourceMissing as SourceMissing
    from engineroom.errors.fetch import SourceNotAnIndex as SourceNotAnIndex
    from engineroom.errors.fetch import SourceNotFound as SourceNotFound
    from engineroom.errors.fetch import SourceProxyFailed as SourceProxyFailed
    from engineroom.errors.fetch import SourceServerFailed as SourceServerFailed
    from engineroom.errors.fetch import SourcesFailed as SourcesFailed
    from engineroom.errors.fetch import SourceTimedOut as SourceTimedOut
    from engineroom.errors.fetch import SourceTlsFailed as SourceTlsFailed
    from engineroom.errors.fetch import SourceUnreachable as SourceUnreachable
    from engineroom.errors.fetch import TargetNotOffered as TargetNotOffered
    from engineroom.errors.load import LoadError as LoadError
    from engineroom.errors.load import MalformedBinary as MalformedBinary
    from engineroom.errors.load import MissingExtra as MissingExtra
    from engineroom.errors.load import SettingError as SettingError
    from engineroom.errors.load import UnsupportedPlatform as UnsupportedPlatform
    from engineroom.errors.metrics import RepeatedQueries as RepeatedQueries
    from engineroom.errors.postgres import *  # noqa: F403 - ninety names, listed below
    from engineroom.errors.query import ConnectionClosed as ConnectionClosed
    from engineroom.errors.query import ConstraintViolated as ConstraintViolated
    from engineroom.errors.query import CursorClosed as CursorClosed
    from engineroom.errors.query import DatabaseCorrupt as DatabaseCorrupt
    from engineroom.errors.query import DatabaseLocked as DatabaseLocked
    from engineroom.errors.query import FileMissing as FileMissing
    from engineroom.errors.query import FileUnreadable as FileUnreadable
    from engineroom.errors.query import Interrupted as Interrupted
    from engineroom.errors.query import Misuse as Misuse
    from engineroom.errors.query import NotADatabase as NotADatabase
    from engineroom.errors.query import NotOfDeclaredType as NotOfDeclaredType
    from engineroom.errors.query import NotUtf8 as NotUtf8
    from engineroom.errors.query import OutOfMemory as OutOfMemory
    from engineroom.errors.query import OutOfRange as OutOfRange
    from engineroom.errors.query import ParameterError as ParameterError
    from engineroom.errors.query import (
        ParameterTypeUnsupported as ParameterTypeUnsupported,
    )
    from engineroom.errors.query import ReadOnly as ReadOnly
    from engineroom.errors.query import SeveralStatements as SeveralStatements
    from engineroom.errors.query import SqlError as SqlError
    from engineroom.errors.query import StorageFailed as StorageFailed
    from engineroom.errors.query import UrlError as UrlError
    from engineroom.errors.query import UsedAfterFork as UsedAfterFork
    from engineroom.errors.query import UsedByAnotherLoop as UsedByAnotherLoop
    from engineroom.errors.query import UsedByAnotherThread as UsedByAnotherThread
    from engineroom.errors.query import ValueTooBig as ValueTooBig
    from engineroom.errors.release import NoPythonAllowed as NoPythonAllowed
    from engineroom.errors.release import ReleaseIncomplete as ReleaseIncomplete
    from engineroom.errors.release import ReleaseUnresolvable as ReleaseUnresolvable
    from engineroom.errors.release import WheelTagWrong as WheelTagWrong
    from engineroom.errors.remote import BucketMissing as BucketMissing
    from engineroom.errors.remote import ObjectTooBig as ObjectTooBig
    from engineroom.errors.remote import PutIfAbsentIgnored as PutIfAbsentIgnored
    from engineroom.errors.remote import RegionWrong as RegionWrong
    from engineroom.errors.remote import RemoteBusy as RemoteBusy
    from engineroom.errors.remote import RemoteBytesWrong as RemoteBytesWrong
    from engineroom.errors.remote import RemoteClockWrong as RemoteClockWrong
    from engineroom.errors.remote import (
        RemoteCredentialsExpired as RemoteCredentialsExpired,
    )
    from engineroom.errors.remote import (
        RemoteCredentialsMissing as RemoteCredentialsMissing,
    )
    from engineroom.errors.remote import (
        RemoteCredentialsWrong as RemoteCredentialsWrong,
    )
    from engineroom.errors.remote import RemoteError as RemoteError
    from engineroom.errors.remote import RemoteForbidden as RemoteForbidden
    from engineroom.errors.remote import RemoteFull as RemoteFull
    from engineroom.errors.remote import RemoteServerFailed as RemoteServerFailed
    from engineroom.errors.remote import RemoteTimedOut as RemoteTimedOut
    from engineroom.errors.remote import RemoteTlsFailed as RemoteTlsFailed
    from engineroom.errors.remote import RemoteUnreachable as RemoteUnreachable
    from engineroom.errors.remote import StoreNotNamed as StoreNotNamed
    from engineroom.errors.remote import StoreSettingWrong as StoreSettingWrong
    from engineroom.errors.serve import ServeAddressUnusable as ServeAddressUnusable
    from engineroom.errors.serve import ServeCannotRedirect as ServeCannotRedirect
    from engineroom.errors.serve import ServeError as ServeError
    from engineroom.errors.serve import ServeTokenRefused as ServeTokenRefused
    from engineroom.errors.serve import ServeTokensUnreadable as ServeTokensUnreadable
    from engineroom.errors.serve import ServeUrlInvalid as ServeUrlInvalid
    from engineroom.errors.signing import AttestationWrong as AttestationWrong
    from engineroom.errors.signing import HeadRolledBack as HeadRolledBack
    from engineroom.errors.signing import HeadSwapped as HeadSwapped
    from engineroom.errors.signing import KeyFileUnwritable as KeyFileUnwritable
    from engineroom.errors.signing import KeyRetired as KeyRetired
    from engineroom.errors.signing import KeySetMissing as KeySetMissing
    from engineroom.errors.signing import KeySetTaken as KeySetTaken
    from engineroom.errors.signing import KeySetWrong as KeySetWrong
    from engineroom.errors.signing import KeyUnknown as KeyUnknown
    from engineroom.errors.signing import KeyUnusable as KeyUnusable
    from engineroom.errors.signing import MemoryUnusable as MemoryUnusable
    from engineroom.errors.signing import NotVouchedFor as NotVouchedFor
    from engineroom.errors.signing import PageNotSigned as PageNotSigned
    from engineroom.errors.signing import PinInvalid as PinInvalid
    from engineroom.errors.signing import PinUnmatched as PinUnmatched
    from engineroom.errors.signing import SignatureExpired as SignatureExpired
    from engineroom.errors.signing import SignatureMissing as SignatureMissing
    from engineroom.errors.signing import SignatureTooEarly as SignatureTooEarly
    from engineroom.errors.signing import SignatureWrong as SignatureWrong
    from engineroom.errors.signing import SignerMissing as SignerMissing
    from engineroom.errors.signing import SigningError as SigningError
    from engineroom.errors.sqlstates import *  # noqa: F403 - likewise
    from engineroom.errors.store import ChannelInvalid as ChannelInvalid
    from engineroom.errors.store import FileNameTaken as FileNameTaken
    from engineroom.errors.store import FileWithdrawn as FileWithdrawn
    from engineroom.errors.store import NothingToChange as NothingToChange
    from engineroom.errors.store import PagesBehind as PagesBehind
    from engineroom.errors.store import ProjectMissing as ProjectMissing
    from engineroom.errors.store import ProjectQuarantined as ProjectQuarantined
    from engineroom.errors.store import PublishError as PublishError
    from engineroom.errors.store import ReasonRefused as ReasonRefused
    from engineroom.errors.store import StoreAddressInvalid as StoreAddressInvalid
    from engineroom.errors.store import StoreBusy as StoreBusy
    from engineroom.errors.store import StoreDamaged as StoreDamaged
    from engineroom.errors.store import StoreError as StoreError
    from engineroom.errors.store import StoreMissing as StoreMissing
    from engineroom.errors.store import StoreTooNew as StoreTooNew
    from engineroom.errors.store import StoreUnreadable as StoreUnreadable
    from engineroom.errors.store import StoreUnwritable as StoreUnwritable
    from engineroom.errors.store import UploadTooOld as UploadTooOld
    from engineroom.errors.store import WheelBroken as WheelBroken
    from engineroom.errors.store import WheelChanged as WheelChanged
    from engineroom.errors.store import WheelEngineWrong as WheelEngineWrong
    from engineroom.errors.store import WheelMetadataWrong as WheelMetadataWrong
    from engineroom.errors.store import WheelNameRefused as WheelNameRefused
    from engineroom.errors.store import WheelRecordWrong as WheelRecordWrong
    from engineroom.errors.store import WheelRefused as WheelRefused
    from engineroom.errors.store import WheelUnreadable as WheelUnreadable
    from engineroom.errors.store import WheelUnsafe as WheelUnsafe
    from engineroom.errors.targets import ManifestContradiction as ManifestContradiction
    from engineroom.errors.targets import ManifestDuplicate as ManifestDuplicate
    from engineroom.errors.targets import ManifestError as ManifestError
    from engineroom.errors.targets import (
        ManifestImpossibleFloor as ManifestImpossibleFloor,
    )
    from engineroom.errors.targets import ManifestMissingField as ManifestMissingField
    from engineroom.errors.targets import ManifestSyntaxError as ManifestSyntaxError
    from engineroom.errors.targets import ManifestUnknownKey as ManifestUnknownKey
    from engineroom.errors.targets import ManifestUnknownWord as ManifestUnknownWord
    from engineroom.errors.targets import ManifestUnreadable as ManifestUnreadable
    from engineroom.errors.targets import ManifestWrongType as ManifestWrongType
    from engineroom.errors.targets import NoNativeTarget as NoNativeTarget
    from engineroom.errors.targets import TargetError as TargetError
    from engineroom.errors.targets import UnknownTarget as UnknownTarget
    from engineroom.errors.upkeep import BlobChanged as BlobChanged
    from engineroom.errors.upkeep import BlobMissing as BlobMissing
    from engineroom.errors.upkeep import BlobSizeWrong as BlobSizeWrong
    from engineroom.errors.upkeep import CheckpointWrong as CheckpointWrong
    from engineroom.errors.upkeep import EntryChanged as EntryChanged
    from engineroom.errors.upkeep import EntryForeign as EntryForeign
    from engineroom.errors.upkeep import EntryMissing as EntryMissing
    from engineroom.errors.upkeep import EntryWrong as EntryWrong
    from engineroom.errors.upkeep import Flaw as Flaw
    from engineroom.errors.upkeep import HeadChanged as HeadChanged
    from engineroom.errors.upkeep import JournalCut as JournalCut
    from engineroom.errors.upkeep import JournalRewritten as JournalRewritten
    from engineroom.errors.upkeep import MirrorAhead as MirrorAhead
    from engineroom.errors.upkeep import MirrorDiverged as MirrorDiverged
    from engineroom.errors.upkeep import MirrorMismatch as MirrorMismatch
    from engineroom.errors.upkeep import ObjectStray as ObjectStray
    from engineroom.errors.upkeep import PageBehind as PageBehind
    from engineroom.errors.upkeep import PageChanged as PageChanged
    from engineroom.errors.upkeep import PageMissing as PageMissing
    from engineroom.errors.upkeep import PageOrphaned as PageOrphaned
    from engineroom.errors.upkeep import PageRolledBack as PageRolledBack
    from engineroom.errors.upkeep import PromotionRefused as PromotionRefused
    from engineroom.errors.upkeep import RootBehind as RootBehind
    from engineroom.errors.upkeep import RootLacksProject as RootLacksProject

_AREAS = {
    "check": (
        "CheckError",
        "CheckNeedsGit",
        "CheckPathMissing",
        "CheckUnwritable",
    ),
    "client": (
        "ClientClosed",
        "CredentialsFailed",
        "DeadlineExceeded",
        "LeaseEnded",
        "MetricsNotUnderstood",
        "MetricsUnreachable",
        "NotConnected",
        "OptionRefused",
        "PoolExhausted",
        "StalePlan",
        "StateMoveRefused",
        "WarmUpFailed",
        "WarmUpTimedOut",
    ),
    "engines": (
        "AbiMismatch",
        "AndroidUnsupported",
        "BackendMismatch",
        "BackendUnknown",
        "BuildMismatch",
        "CffiMissing",
        "CpuUnsupported",
        "EngineDamaged",
        "EngineForOtherCpu",
        "EngineForOtherSystem",
        "EngineListDamaged",
        "EngineListMissing",
        "EngineMissing",
        "EngineNeedsNewerLibc",
        "EngineNotInstalled",
        "EngineNotLoadable",
        "EnginesForOthersOnly",
        "EngineTruncated",
        "EngineUnreadable",
        "FreeBsdUnsupported",
        "FreeThreadedUnsupported",
        "GlibcEngineOnMusl",
        "LibcTooOld",
        "LibcUnknown",
        "LibraryMissing",
        "LoadingForbidden",
        "MuslEngineOnGlibc",
        "NoexecMount",
        "NotAnEngine",
        "OpensslMissing",
        "OpensslNotServed",
        "PlaceUnsafe",
        "PythonIs32Bit",
        "PythonIsTranslated",
        "PythonNotCPython",
        "TargetExcluded",
        "VersionMismatch",
        "WindowsUnsupported",
    ),
    "fetch": (
        "DownloadBroken",
        "DownloadHashWrong",
        "DownloadTruncated",
        "EnginesMissing",
        "FetchError",
        "LockDiffers",
        "LockUnreadable",
        "ShelfBusy",
        "ShelfUnwritable",
        "SourceAddressInvalid",
        "SourceFailed",
        "SourceForbidden",
        "SourceMissing",
        "SourceNotAnIndex",
        "SourceNotFound",
        "SourceProxyFailed",
        "SourceServerFailed",
        "SourcesFailed",
        "SourceTimedOut",
        "SourceTlsFailed",
        "SourceUnreachable",
        "TargetNotOffered",
    ),
    "load": (
        "LoadError",
        "MalformedBinary",
        "MissingExtra",
        "SettingError",
        "UnsupportedPlatform",
    ),
    "metrics": ("RepeatedQueries",),
    "postgres": (
        "AuthenticationFailed",
        "CardinalityViolation",
        "CaseNotFound",
        "CheckOptionViolation",
        "ConfigurationError",
        "ConnectFailed",
        "ConnectionLost",
        "ConnectionTrouble",
        "ConnectTimedOut",
        "DependentPrivileges",
        "DiagnosticsError",
        "ExternalInvocationFailed",
        "ExternalRoutineFailed",
        "ForeignDataError",
        "InsufficientResources",
        "InvalidCatalogName",
        "InvalidCursorName",
        "InvalidCursorState",
        "InvalidGrantor",
        "InvalidPassword",
        "InvalidRole",
        "InvalidSchemaName",
        "InvalidStatementName",
        "InvalidTransactionInitiation",
        "InvalidTransactionState",
        "InvalidTransactionTermination",
        "LocatorError",
        "NoData",
        "ObjectNotReady",
        "OperatorIntervened",
        "ProcedureError",
        "ProgramLimitExceeded",
        "ProtocolViolation",
        "RoutineFailed",
        "SavepointError",
        "ServerSystemFailed",
        "ServerWarning",
        "SnapshotFailed",
        "StatementNotComplete",
        "TimedOut",
        "TlsFailed",
        "TransactionRolledBack",
        "TriggeredActionFailed",
        "TriggeredDataChange",
    ),
    "query": (
        "ConnectionClosed",
        "ConstraintViolated",
        "CursorClosed",
        "DatabaseCorrupt",
        "DatabaseLocked",
        "FileMissing",
        "FileUnreadable",
        "Interrupted",
        "Misuse",
        "NotADatabase",
        "NotOfDeclaredType",
        "NotUtf8",
        "OutOfMemory",
        "OutOfRange",
        "ParameterError",
        "ParameterTypeUnsupported",
        "ReadOnly",
        "SeveralStatements",
        "SqlError",
        "StorageFailed",
        "UrlError",
        "UsedAfterFork",
        "UsedByAnotherLoop",
        "UsedByAnotherThread",
        "ValueTooBig",
    ),
    "release": (
        "NoPythonAllowed",
        "ReleaseIncomplete",
        "ReleaseUnresolvable",
        "WheelTagWrong",
    ),
    "remote": (
        "BucketMissing",
        "ObjectTooBig",
        "PutIfAbsentIgnored",
        "RegionWrong",
        "RemoteBusy",
        "RemoteBytesWrong",
        "RemoteClockWrong",
        "RemoteCredentialsExpired",
        "RemoteCredentialsMissing",
        "RemoteCredentialsWrong",
        "RemoteError",
        "RemoteForbidden",
        "RemoteFull",
        "RemoteServerFailed",
        "RemoteTimedOut",
        "RemoteTlsFailed",
        "RemoteUnreachable",
        "StoreNotNamed",
        "StoreSettingWrong",
    ),
    "serve": (
        "ServeAddressUnusable",
        "ServeCannotRedirect",
        "ServeError",
        "ServeTokenRefused",
        "ServeTokensUnreadable",
        "ServeUrlInvalid",
    ),
    "signing": (
        "AttestationWrong",
        "HeadRolledBack",
        "HeadSwapped",
        "KeyFileUnwritable",
        "KeyRetired",
        "KeySetMissing",
        "KeySetTaken",
        "KeySetWrong",
        "KeyUnknown",
        "KeyUnusable",
        "MemoryUnusable",
        "NotVouchedFor",
        "PageNotSigned",
        "PinInvalid",
        "PinUnmatched",
        "SignatureExpired",
        "SignatureMissing",
        "SignatureTooEarly",
        "SignatureWrong",
        "SignerMissing",
        "SigningError",
    ),
    "sqlstates": (
        "ActiveTransaction",
        "AdminShutdown",
        "AmbiguousColumn",
        "AssertFailure",
        "CannotConnectNow",
        "CharacterNotInRepertoire",
        "CheckViolation",
        "CrashShutdown",
        "DatabaseDropped",
        "DataCorrupted",
        "DatatypeMismatch",
        "DatetimeOverflow",
        "DeadlockDetected",
        "DiskFull",
        "DivisionByZero",
        "DuplicateDatabase",
        "DuplicateObject",
        "DuplicateStatement",
        "DuplicateTable",
        "ExclusionViolation",
        "ForeignKeyViolation",
        "IdleInTransactionTimeout",
        "IdleSessionTimeout",
        "IndeterminateDatatype",
        "IndexCorrupted",
        "InFailedTransaction",
        "InsufficientPrivilege",
        "InvalidDatetimeFormat",
        "InvalidParameterValue",
        "InvalidTextRepresentation",
        "LockNotAvailable",
        "NoDataFound",
        "NotNullViolation",
        "NumericValueOutOfRange",
        "ObjectInUse",
        "QueryCanceled",
        "RaisedException",
        "ReadOnlyTransaction",
        "SerializationFailure",
        "ServerIoFailed",
        "ServerOutOfMemory",
        "SqlSyntaxError",
        "StringDataRightTruncation",
        "TooManyConnections",
        "TooManyRows",
        "TransactionTimeout",
        "UndefinedColumn",
        "UndefinedFunction",
        "UndefinedObject",
        "UndefinedParameter",
        "UndefinedTable",
        "UniqueViolation",
        "UntranslatableCharacter",
        "WrongObjectType",
    ),
    "store": (
        "ChannelInvalid",
        "FileNameTaken",
        "FileWithdrawn",
        "NothingToChange",
        "PagesBehind",
        "ProjectMissing",
        "ProjectQuarantined",
        "PublishError",
        "ReasonRefused",
        "StoreAddressInvalid",
        "StoreBusy",
        "StoreDamaged",
        "StoreError",
        "StoreMissing",
        "StoreTooNew",
        "StoreUnreadable",
        "StoreUnwritable",
        "UploadTooOld",
        "WheelBroken",
        "WheelChanged",
        "WheelEngineWrong",
        "WheelMetadataWrong",
        "WheelNameRefused",
        "WheelRecordWrong",
        "WheelRefused",
        "WheelUnreadable",
        "WheelUnsafe",
    ),
    "targets": (
        "ManifestContradiction",
        "ManifestDuplicate",
        "ManifestError",
        "ManifestImpossibleFloor",
        "ManifestMissingField",
        "ManifestSyntaxError",
        "ManifestUnknownKey",
        "ManifestUnknownWord",
        "ManifestUnreadable",
        "ManifestWrongType",
        "NoNativeTarget",
        "TargetError",
        "UnknownTarget",
    ),
    "upkeep": (
        "BlobChanged",
        "BlobMissing",
        "BlobSizeWrong",
        "CheckpointWrong",
        "EntryChanged",
        "EntryForeign",
        "EntryMissing",
        "EntryWrong",
        "Flaw",
        "HeadChanged",
        "JournalCut",
        "JournalRewritten",
        "MirrorAhead",
        "MirrorDiverged",
        "MirrorMismatch",
        "ObjectStray",
        "PageBehind",
        "PageChanged",
        "PageMissing",
        "PageOrphaned",
        "PageRolledBack",
        "PromotionRefused",
        "RootBehind",
        "RootLacksProject",
    ),
}
_AREA_OF = {name: area for area, names in _AREAS.items() for name in names}


def __getattr__(name: str) -> object:
    area = _AREA_OF.get(name)
    if area is None:
        raise AttributeError(f"module `engineroom.errors` has no attribute `{name}`")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f"{__name__}.{area}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_AREA_OF})


class Warning(Exception):  # noqa: A001 - the name is PEP 249's
    """An important notice, such as data cut off while inserting. Never raised today."""


class Error(Exception):
    """Base of every exception Engineroom raises.

    Attributes:
        code: stable identifier of the kind of failure, such as `ER2102`.
        message: one sentence, with the value that failed.
        hint: something to do about it, or an empty string.
        account: what used the time, where that was a client's to measure.
        attempts: how many attempts of a client ended in this; of a `LoadError`, which
            no client tries again, the places that were tried.
    """

    code: ClassVar[str] = "ER2000"
    account: str = ""
    attempts: Any = 1

    def __init__(self, message: str = "", *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def fault(self) -> str:
        """The kind of failure in a word; `engineroom.errors.faults` has them all."""
        return self._decided.word

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed without anybody changing anything.

        The call is the statement, or the transaction around it; the connection is a
        new one where `poisons_connection`.
        """
        return self._decided.is_retryable

    @property
    def sent_to_server(self) -> bool:
        """Whether a server may have had the statement; False if it surely has not."""
        return False

    @property
    def poisons_connection(self) -> bool:
        """Whether the connection it came over can only be closed."""
        return self._decided.is_poison

    @property
    def _decided(self) -> Fault:
        from engineroom.errors.faults import fault_of

        return fault_of(type(self))

    def __str__(self) -> str:
        return self._with_advice(f"{self.code}: {self.message}")

    def _with_advice(self, text: str) -> str:
        if self.account:
            text = f"{text}\n\ntime: {self.account}"
        return f"{text}\n\nhint: {self.hint}" if self.hint else text

    def __reduce__(self) -> tuple[Any, ...]:
        # Subclasses take fields, not a message, so the default recipe (call the
        # class with `args`) would fail when an error crosses a process pool.
        return _restore, (type(self), self.args), self.__dict__


def _restore(kind: type[Error], args: tuple[Any, ...]) -> Error:
    error = kind.__new__(kind)
    error.args = args
    return error


class InterfaceError(Error):
    """The failure lies in the interface rather than in the database."""

    code = "ER2001"


class DatabaseError(Error):
    """The database refused, or what it holds cannot be given.

    What a server said beside its sentence is kept as it said it: texts are empty and
    numbers None where it said nothing, and on SQLite always.

    Attributes:
        native_code: the backend's own number (SQLite's extended result code), or 0.
        sqlstate: five characters of the SQL standard, or an empty string.
        was_sent: whether the server may have received the statement.
        query_position: where in the statement the fault is, in characters from 1.
        line: the line of the statement it is on, from 1.
        column: the character of that line, from 1.
        excerpt: that line and a caret below the place.
        severity: `ERROR`, `FATAL` or `PANIC`.
        detail: more about this failure.
        server_hint: the server's own hint; `hint` begins with it.
        context: the calls that led there, the innermost first.
        schema_name: the schema of the object it is about.
        table_name: the table it is about.
        column_name: the column it is about.
        data_type_name: the type it is about.
        constraint_name: the constraint it is about.
        internal_query: the statement that a function of the server ran.
        internal_position: where in that statement, in characters from 1.
    """

    code = "ER2002"
    sqlstates: ClassVar[tuple[str, ...]] = ()
    was_sent: bool = False
    query_position: int | None = None
    line: int | None = None
    column: int | None = None
    excerpt: str = ""
    severity: str = ""
    detail: str = ""
    server_hint: str = ""
    context: str = ""
    schema_name: str = ""
    table_name: str = ""
    column_name: str = ""
    data_type_name: str = ""
    constraint_name: str = ""
    internal_query: str = ""
    internal_position: int | None = None

    def __init__(
        self,
        message: str = "",
        *,
        hint: str = "",
        native_code: int = 0,
        sqlstate: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.native_code = native_code
        self.sqlstate = sqlstate

    @property
    def sent_to_server(self) -> bool:
        """Whether a server may have received the statement; False only if it has not.

        On SQLite there is no server, and it is False.
        """
        return self.was_sent

    @property
    def poisons_connection(self) -> bool:
        """Whether the connection it came over can only be closed."""
        # A server says so itself, and may tell of another connection than this one, as
        # a foreign table does whose server has gone.
        if self.severity:
            return self.severity in ("FATAL", "PANIC")
        return super().poisons_connection

    def __str__(self) -> str:
        text = f"{self.code}: {self.message}"
        if self.excerpt:
            indented = self.excerpt.replace("\n", "\n    ")
            text = f"{text}\n\n    {indented}"
        if self.detail:
            text = f"{text}\n\ndetail: {self.detail}"
        if self.context:
            text = f"{text}\n\ncontext: {self.context}"
        return self._with_advice(text)


class DataError(DatabaseError):
    """A value is the problem: out of range, malformed, of the wrong type."""

    code = "ER2003"
    sqlstates = ("22",)


class OperationalError(DatabaseError):
    """The database's surroundings failed: files, locks, disks, interruption."""

    code = "ER2004"


class IntegrityError(DatabaseError):
    """A constraint would have been broken."""

    code = "ER2005"


class InternalError(DatabaseError):
    """The database reports a fault within itself."""

    code = "ER2006"
    sqlstates = ("XX",)


class ProgrammingError(DatabaseError):
    """The caller's mistake: SQL, parameters, or the order of calls."""

    code = "ER2007"


class NotSupportedError(DatabaseError):
    """The database, or this backend, has no such feature."""

    code = "ER2008"
    sqlstates = ("0A",)
