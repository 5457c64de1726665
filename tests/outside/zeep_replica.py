#!/usr/bin/env python3
"""A replica made from the published definitions by zeep takes over groups, approvals and declines of
`tidegate serve`, and reports upwards what its own computers did.

    usage: zeep_replica.py DATA [--program TIDEGATE]

DATA is the data folder of a connected side that holds updates; a copy of it is worked on.
"""

import argparse
import datetime
import shutil
import tempfile
import uuid
from pathlib import Path

import soap
from instance import PROGRAM, Instance
from soap import items
from zeep_client import Downstream, must

ALL_COMPUTERS = "a0a08746-4dbe-4a37-9adf-9e7652c0b421"
UNASSIGNED = "b73ca6ed-5727-47f3-84de-015e03f6a88a"
NOBODY = "00000000-0000-0000-0000-000000000000"
NEVER = datetime.datetime(1753, 1, 1)
RING = "Ring 1"
INSTALL, UNINSTALL = 0, 1


class Replica(Downstream):
    def deployments(self, anchor=None):
        synced, _ = self.list()
        told = self.service.GetDeployments(cookie=self.cookie, deploymentAnchor=anchor, syncAnchor=synced)
        must(told.Anchor, "an anchor")
        return told


def approvals(told):
    """What was decided: update and group, with the action."""
    found = items(told.Deployments, "ServerSyncDeployment")
    return {(str(d.UpdateId), str(d.TargetGroupId)): d for d in found}


def takes_over(server, dss, updates):
    """Everything, then only what changed; groups and declines are complete each time."""
    first, second, third, fourth = updates[:4]
    server.run("groups", "add", RING)
    server.run("approve", first, "--group", RING, "--accept-eula")
    server.run("approve", second, "--group", "All Computers", "--accept-eula")
    server.run("decline", third)
    told = dss.deployments()
    groups = {g.Name: g for g in items(told.Groups, "ServerSyncTargetGroup")}
    must(groups["All Computers"].TargetGroupID == ALL_COMPUTERS, "the id of All Computers")
    must(groups["All Computers"].ParentGroupId == NOBODY, "All Computers has no parent")
    must(groups["Unassigned Computers"].TargetGroupID == UNASSIGNED, "the id of Unassigned Computers")
    must(groups["All Computers"].IsBuiltin and not groups[RING].IsBuiltin, "which groups are built in")
    ring = str(groups[RING].TargetGroupID)
    decided = approvals(told)
    must(decided.keys() == {(first, ring), (second, ALL_COMPUTERS)}, f"the approvals: {decided.keys()}")
    must(all(d.Action == INSTALL for d in decided.values()), "they are to be installed")
    must(all(d.Deadline.year == 9999 for d in decided.values()), "no deadline")
    must(items(told.HiddenUpdates, "guid") == [third], f"declined: {told.HiddenUpdates}")
    must(not items(told.DeadDeployments, "guid"), "nothing was taken back yet")
    for name in ("Groups", "Deployments", "DeadDeployments", "HiddenUpdates", "AcceptedEulas"):
        must(dss.check.last.find(f".//{{*}}{name}") is not None, f"{name} must be there when it is empty")

    again = dss.deployments(told.Anchor)
    must(not approvals(again) and not items(again.DeadDeployments, "guid"), "nothing new")
    must(len(items(again.Groups, "ServerSyncTargetGroup")) == len(groups), "all groups each time")
    must(items(again.HiddenUpdates, "guid") == [third], "all declines each time")

    server.run("approve", first, "--group", RING, "--remove")
    server.run("approve", fourth, "--group", RING, "--accept-eula", "--deadline", "2031-02-03T04:05:06Z")
    server.run("decline", third, "--undo")
    changed = dss.deployments(again.Anchor)
    must(approvals(changed).keys() == {(fourth, ring)}, f"the change: {approvals(changed).keys()}")
    deadline = approvals(changed)[fourth, ring].Deadline.replace(tzinfo=None)
    must(deadline == datetime.datetime(2031, 2, 3, 4, 5, 6), f"the deadline {deadline}")
    dead = [str(g) for g in items(changed.DeadDeployments, "guid")]
    must(dead == [str(decided[first, ring].DeploymentGuid)], f"taken back: {dead}")
    must(not items(changed.HiddenUpdates, "guid"), "no decline is left")
    whole = approvals(dss.deployments())
    must(whole.keys() == {(second, ALL_COMPUTERS), (fourth, ring)}, "all from the beginning")
    refused = soap.fault_of(lambda: dss.service.GetDeployments(cookie=dss.cookie, deploymentAnchor="garbage", syncAnchor="1,x"))
    must(refused[0] == "InvalidParameters", f"a bad anchor: {refused}")
    print(f"{len(groups)} groups and {len(decided)} approvals taken over, then a change with one taken back")


def now():
    return datetime.datetime.now(datetime.timezone.utc)


# DownstreamServerRollupServerSummary, in its order.
COUNTS = """UpdateCount DeclinedUpdateCount ApprovedUpdateCount NotApprovedUpdateCount
UpdatesWithStaleUpdateApprovalsCount ExpiredUpdateCount CriticalOrSecurityUpdatesNotApprovedForInstallCount
WsusInfrastructureUpdatesNotApprovedForInstallCount UpdatesWithClientErrorsCount UpdatesWithServerErrorsCount
UpdatesNeedingFilesCount UpdatesNeededByComputersCount UpdatesUpToDateCount CustomComputerTargetGroupCount
ComputerTargetCount ComputerTargetsNeedingUpdatesCount ComputerTargetsWithUpdateErrorsCount
ComputersUpToDateCount""".split()


def server_report(own, computers):
    return {
        "ServerId": own,
        "FullDomainName": "dss.example",
        "LastSyncTime": now(),
        "ParentServerId": NOBODY,
        "Version": "10.0.26100.1",
        "IsReplica": True,
        "LastRollupTime": now(),
        "ServerSummary": dict.fromkeys(COUNTS, 0) | {"ComputerTargetCount": computers},
        "ClientSummaries": {"DownstreamServerRollupClientSummary": []},
    }


def computer(own, name, details):
    report = {
        "ComputerId": name,
        "LastSyncTime": now(),
        "LastSyncResult": 1,
        "LastReportedRebootTime": NEVER,
        "LastReportedStatusTime": now(),
        "LastInventoryTime": NEVER,
        "ParentServerId": own,
    }
    if details:
        report["Details"] = {
            "IPAddress": "192.0.2.7",
            "FullDomainName": "pc-7.example",
            "OSMajorVersion": 10,
            "OSMinorVersion": 0,
            "OSBuildNumber": 26100,
            "OSServicePackMajorNumber": 0,
            "OSServicePackMinorNumber": 0,
            "BiosReleaseDate": NEVER,
            "SuiteMask": 256,
            "OldProductType": 1,
            "NewProductType": 48,
            "SystemMetrics": 0,
            "TargetGroupIdList": {"guid": [UNASSIGNED]},
        }
    return report


def reports(server, base, dss, update, seen):
    """The five calls of [MS-WUSSS] 3.1.4.13 to 3.1.4.17, in the order of a downstream."""
    rollup, _ = soap.service("ServerReporting.wsdl", base, "ReportingWebService/ReportingWebService.asmx", seen)
    # A fixed one, by 3.1.4.13.
    cookie = {"Expiration": datetime.datetime(9999, 12, 31, 23, 59, 59), "EncryptedData": b""}
    config = rollup.GetRollupConfiguration(cookie=cookie)
    sizes = [config[name] for name in dir(config) if name.endswith("MaxBatchSize")]
    must(len(sizes) == 4 and all(size > 0 for size in sizes), f"batches: {sizes}")
    own, name = dss.id, f"zeep-{uuid.uuid4()}"
    report = server_report(own, 1)
    rollup.RollupDownstreamServers(cookie=cookie, clientTime=now(), downstreamServers={"DownstreamServerRollupInfo": [report]})
    shown = str(server.run("status"))
    must("dss.example" in shown and own in shown, "`status` shows the downstream server")
    if not config.DoDetailedRollup:
        print("the server wants no details")
        return

    def roll(details):
        some = {"ComputerRollupInfo": [computer(own, name, details)]}
        changed = items(rollup.RollupComputers(cookie=cookie, clientTime=now(), computers=some), "ChangedComputer")
        return [(c.ComputerId, c.Change) for c in changed]

    must(roll(False) == [(name, "NewParent")], "a new computer without details is asked for them")
    must(roll(True) == [], "with details it is known")

    def out_of_sync(number):
        numbers = {"ComputerLastRollupNumber": [{"ComputerId": name, "RollupNumber": number}]}
        found = rollup.GetOutOfSyncComputers(cookie=cookie, parentServerId=own, lastRollupNumbers=numbers)
        return items(found, "string")

    def status(number, full, state):
        one = {
            "InstanceId": str(uuid.uuid4()),
            "ComputerId": name,
            "EffectiveLastDetectionTime": now(),
            "RollupNumber": number,
            "IsFullRollup": full,
            "UpdateStatus": {
                "ComputerStatusRollupUpdateStatus": [
                    {"UpdateId": update, "SummarizationState": state, "LastChangeTime": now()}
                ]
            },
        }
        some = {"ComputerStatusRollupInfo": [one]}
        return rollup.RollupComputerStatus(cookie=cookie, clientTime=now(), parentServerId=own, computers=some)

    must(out_of_sync(0) == [], "nothing reported, nothing stored")
    must(status(1, True, 2) is True and status(2, False, 4) is True, "the states are taken")
    must(out_of_sync(2) == [], "both have the same number")
    must(out_of_sync(1) == [name], "the server has another number")
    stranger = str(uuid.uuid4())
    some = {"ComputerRollupInfo": [computer(stranger, name, True)]}
    refused = soap.fault_of(lambda: rollup.RollupComputers(cookie=cookie, clientTime=now(), computers=some))
    must(refused[0] == "InternalServerError", f"a computer of an unknown server: {refused}")
    print("the reports of a replica, its computer and its states are in")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--program", type=Path, default=PROGRAM)
    arguments = parser.parse_args()
    seen = set()
    with tempfile.TemporaryDirectory() as kept:
        data = Path(kept) / "data"
        shutil.copytree(arguments.data, data)
        server = Instance(arguments.program, data)
        listed = server.run("updates", "--kind", "software")
        updates = [u["identity"]["id"] for u in listed if u["explicitly-deployable"] and not u["expired"]]
        must(len(updates) >= 4, "updates that can be approved")
        with server.serve() as base:
            dss = Replica(base, "1.20", seen)
            takes_over(server, dss, updates)
            reports(server, base, dss, updates[0], seen)
    print(f"message kinds, valid in both directions: {', '.join(sorted(seen))}")


if __name__ == "__main__":
    main()
