"""Several nodes for one run: what torchrun is told, and the network that they use."""

import socket

import pytest

from fzmm.commands.sweep import parse, sweep_options
from fzmm.errors import UserError
from fzmm.sweep.executors.base import build_executor
from fzmm.sweep.planned_run import plan_runs
from fzmm.sweep.training.rendezvous import Rendezvous, interface_of, network_variables
from fzmm.sweep.training.training_command import training_command


def test_each_node_is_told_where_the_first_one_listens(sweeps):
    run = plan_runs([sweeps.config("a")], root="work_dirs")[0]
    command = training_command(run, 4, rendezvous=Rendezvous(2, 1, "10.0.0.1", 29500))
    told = dict(zip(command, command[1:], strict=False))
    assert (told["--nnodes"], told["--node_rank"], told["--nproc_per_node"]) == ("2", "1", "4")
    assert (told["--master_addr"], told["--master_port"]) == ("10.0.0.1", "29500")
    assert "--standalone" not in command and told["--launcher"] == "pytorch"


def test_the_network_is_that_of_the_nodes_address():
    loopback = interface_of("127.0.0.1")
    assert loopback in [name for _, name in socket.if_nameindex()]
    assert interface_of("127.0.0.7") == loopback
    assert interface_of("192.0.2.1") is None and network_variables("192.0.2.1") == {}
    variables = network_variables("127.0.0.1")
    assert variables == dict(GLOO_SOCKET_IFNAME=loopback, NCCL_SOCKET_IFNAME=f"={loopback}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--nodes", "2"], "--nodes 2: this is one machine; needs --executor ray or slurm"),
        (["--executor", "ray", "--nodes", "0"], "--nodes 0: 1 or more"),
        (["--executor", "slurm", "--slurm-nodes", "2", "--gpus-per-run", "3"], "3: no multiple"),
        (["--executor", "ray", "--nodes", "2", "--collect"], "2 nodes of a run must share"),
    ],
)
def test_nodes_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        build_executor(sweep_options(*parse(["a.py", *arguments])))
