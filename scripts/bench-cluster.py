"""Measures runs through the queue of a cluster, on servers of its own. Called by `scripts/bench cluster`.

usage: bench-cluster.py WORK PIPELINE [--kills N] [--preemptions N] [--delayed N] [--seed N] [--only a,b,...]

WORK is an empty folder for what it makes. ASSAY_DATA_DIR must have MNIST. A measure whose queue is not installed
is skipped. Exits 1 if a run gave something wrong.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import datetime
import json
import math
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time

SCRIPTS = pathlib.Path(__file__).resolve().parent
FIXTURES = SCRIPTS.parent / "tests/fixtures"
TRIALS = 1000
# Datasets that are pushed, since they are made faster than trainings: five files each.
PUSHED = 2100
# Nothing that is waited for takes longer, unless it is lost.
LONGEST = 300
# Seconds that the name of a file is hidden, at most.
LATEST = 60
# Runs on such a folder, for each processor, and the pipelines that they run.
TOGETHER = 32
PIPELINES = 8
# Seconds that Slurm is left alone after a kill: it takes as long to find out which jobs ended meanwhile, and begins
# anew at every start.
RESPITE = 20
# Between two lines that tell how far a measure is.
PAUSE = 60


class Skipped(Exception):
    """The measure needs something that is not here."""


class Broken(Exception):
    """The measure could not be finished."""


def wait_for(what, look, seconds=LONGEST, interval=0.02):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(interval)
    raise Broken(f"{what} did not come within {seconds} s")


def text_of(path):
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


class Server:
    """A queue, stopped at the end of a `with`."""

    def __init__(self, script, folder, *options):
        self.script, self.folder = SCRIPTS / script, folder
        started = subprocess.run([self.script, "start", folder, *options], capture_output=True, text=True)
        if started.returncode == 77:
            raise Skipped(started.stderr.strip())
        if started.returncode:
            raise Broken(started.stderr.strip())
        name, value = started.stdout.strip().split("=", 1)
        self.environment = {name: value}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run([self.script, "stop", self.folder], check=False)

    def ask(self, *command, check=True):
        done = subprocess.run(command, env=os.environ | self.environment, capture_output=True, text=True)
        if check and done.returncode:
            raise Broken(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout


class Slurm(Server):
    def __init__(self, folder, *options):
        super().__init__("slurm-server", folder, *options)
        self.daemon = folder / "run/slurmctld.pid"

    def kill(self):
        """Kills its controller, which writes nothing down any more."""
        os.kill(int(self.daemon.read_text()), signal.SIGKILL)
        # The next one writes its own.
        self.daemon.unlink()

    def restart(self):
        subprocess.run(
            ["slurmctld", "-f", self.environment["SLURM_CONF"]],
            env=os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True,
        )
        wait_for("slurmctld", lambda: text_of(self.daemon).strip(), 30)

    def repair(self):
        """What an administrator does after such kills: a node that was given a number a second time takes no more
        jobs, that job is held, and one that has ended unheard counts as running until the node is asked."""

        def tell(*command):
            self.ask("scontrol", *command, check=False)

        for node in self.ask("sinfo", "--noheader", "--Node", "--states=drain", "--format=%n", check=False).split():
            tell("update", f"NodeName={node}", "State=RESUME")
        tell("reconfigure")
        pending = self.ask("squeue", "--noheader", "--array", "--states=PENDING", "--format=%i|%r", check=False)
        for line in pending.splitlines():
            job, reason = line.split("|", 1)
            if "held" in reason:
                tell("release", job)
            elif reason == "BeginTime":
                # Two minutes are left to a job that is requeued.
                tell("update", f"JobId={job}", "StartTime=now")

    def lost(self):
        """The numbers of arrays that it forgot, since it was killed before it had written them down: it gives
        such a number again."""
        log = text_of(self.folder / "log/slurmctld.log")
        given = collections.Counter(re.findall(r"_slurm_rpc_submit_batch_job: JobId=(\d+)", log))
        return {number: count - 1 for number, count in given.items() if count > 1}

    def is_empty(self):
        listed = subprocess.run(["squeue", "--noheader"], env=os.environ | self.environment, capture_output=True)
        return listed.returncode == 0 and not listed.stdout.strip()


class Lab:
    """A folder with a pipeline, a site, a hub and stores."""

    def __init__(self, pipeline, folder, environment=()):
        self.program, self.folder = pipeline, folder
        (folder / "config/assay").mkdir(parents=True)
        self.hub = folder / "hub"
        self.environment = {key: value for key, value in os.environ.items() if key != "ASSAY_STORE"}
        self.environment |= {"XDG_CONFIG_HOME": str(folder / "config")}
        self.environment |= dict(environment)
        self.said = folder / "said"

    def site(self, kind, local_store=None, **more):
        entries = {
            "kind": kind,
            "hub": str(self.hub),
            "local_store": local_store or str(self.folder / "node"),
            "program": str(self.program),
            **more,
        }
        lines = [f"{name} = {json.dumps(value)}\n" for name, value in entries.items()]
        (self.folder / "config/assay/executors.toml").write_text("[site]\n" + "".join(lines))

    def describe(self, seeds, epochs, images=64, algorithms=("bp",), layers=("fc 4",), evaluate=False):
        (self.folder / "pipeline.toml").write_text(
            'name = "bench"\n'
            f'[network.small]\ninput = [1, 28, 28]\nlayers = {json.dumps([*layers, "softmax 10"])}\n'
            '[stage.mnist]\nkind = "dataset"\nsource = "mnist"\nvalidation = 0\n'
            f"limit = {{ train = {images}, test = 64 }}\n"
            f'[stage.train]\nkind = "train"\ndataset = "mnist"\nnetwork = "small"\nepochs = {epochs}\n'
            f"matrix = {{ algorithm = {json.dumps(list(algorithms))}, seed = {json.dumps(list(seeds))} }}\n"
            + ('[stage.evaluate]\nkind = "evaluate"\ntraining = "train"\n' if evaluate else "")
        )

    def command(self, *more, executor=True):
        command = [self.program, "run", self.folder / "pipeline.toml", *more]
        if "--store" not in more:
            command += ["--store", self.folder / "store"]
        return command + (["--executor", "site"] if executor else [])

    def start(self, *more, executor=True):
        """A run in the background; what it says is added to the file `said`."""
        with self.said.open("ab") as said:
            return subprocess.Popen(
                self.command(*more, executor=executor), env=self.environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=said, start_new_session=True, cwd=self.folder,
            )

    def run(self, *more, executor=True, check=True):
        """A run with its stages."""
        done = subprocess.run(
            self.command("--json", *more, executor=executor), env=self.environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, cwd=self.folder, start_new_session=True,
        )
        if check and done.returncode:
            raise Broken(f"a run failed: {done.stderr.strip()[-2000:]}")
        return json.loads(done.stdout)["stages"] if done.returncode == 0 else None

    def timed(self, *command, check=True):
        started = time.perf_counter()
        done = subprocess.run(
            [self.program, *command], env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            cwd=self.folder,
        )
        took = time.perf_counter() - started
        if check and done.returncode:
            raise Broken(f"pipeline {command[0]} failed: {done.stderr.strip()[-2000:]}")
        return took, done

    def local(self, store="local"):
        return artifacts(self.run("--store", str(self.folder / store), executor=False))

    def executions(self):
        """The processes of jobs of this lab that execute an action, with their actions."""
        found = []
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
                if words[1:2] == ["exec"] and "--hub" in words and str(self.hub) in words:
                    found.append((int(process.name), words[2]))
        return found

    def attempts(self):
        """How the attempts at each action ended, by the job's name and the number of its restart."""
        found = collections.defaultdict(dict)
        for file in (self.hub / "cluster/attempts").glob("*/*.json"):
            with contextlib.suppress(ValueError):
                found[file.parent.name][file.stem] = json.loads(file.read_text())["ending"]["ended"]
        return found

    def events(self, name, event):
        """The times of these events in the file, in milliseconds."""
        times = []
        for line in text_of(self.folder / name).splitlines():
            with contextlib.suppress(ValueError):
                found = json.loads(line)
                if found["event"] == event:
                    times.append(found["time_ms"])
        return times


def artifacts(stages):
    return {stage["name"]: stage["artifact"] for stage in stages}


def end(run):
    """Ends a run that is no longer wanted."""
    if run.poll() is None:
        run.kill()
    run.wait()


def counted(folder, *commands):
    """A folder of commands that note each call in the file `calls` before they become the real ones."""
    folder.mkdir()
    for command in commands:
        real = shutil.which(command)
        if real is None:
            raise Skipped(f"there is no {command}")
        (folder / command).write_text(
            f'#!/bin/sh\necho "{command} $(date +%s.%N)" >> "{folder}/calls"\nexec {real} "$@"\n'
        )
        (folder / command).chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def calls(folder, command):
    lines = [line.split() for line in text_of(folder / "calls").splitlines()]
    return [float(line[1]) for line in lines if len(line) == 2 and line[0] == command]


class Bench:
    def __init__(self, arguments):
        self.work, self.pipeline = arguments.work.resolve(), arguments.pipeline.resolve()
        self.arguments = arguments
        self.draw = random.Random(arguments.seed)
        self.is_wrong = False
        self.cached_lab = None
        self.began, self.told = time.monotonic(), time.monotonic()

    def lab(self, name, environment=()):
        return Lab(self.pipeline, self.work / name, environment)

    def say(self, letter, text):
        print(f"{letter}. {text}", flush=True)

    def progress(self, letter, text):
        """A line now and then of a measure that takes long."""
        now = time.monotonic()
        if now >= self.told + PAUSE:
            self.told = now
            print(f"   {letter}, {(now - self.began) / 60:.0f} min: {text}", file=sys.stderr, flush=True)

    def expect_none(self, *counts):
        self.is_wrong |= any(counts)

    # Submission and adoption of many trials.
    def a(self):
        with Slurm(self.work / "a-slurm", "--max-array", "1001") as queue:
            commands = counted(self.work / "a-commands", "sbatch", "squeue")
            lab = self.lab("a", commands | queue.environment)
            lab.site("slurm", poll=1)
            lab.describe(range(TRIALS), 1)
            lab.run("--only", "mnist", executor=False)
            # Nothing begins, and submission alone is measured.
            queue.ask("scontrol", "update", "partition=main", "state=down")
            took, submitted = [], []
            for events in "first", "second":
                began = time.time()
                before = len(calls(self.work / "a-commands", "sbatch"))
                run = lab.start("--events", lab.folder / events)
                try:
                    wait_for("the queue of all trials", lambda: run.poll() is not None
                             or len(lab.events(events, "stage-queued")) >= TRIALS, interval=0.5)
                finally:
                    end(run)
                queued = lab.events(events, "stage-queued")
                if len(queued) < TRIALS:
                    raise Broken(text_of(lab.said)[-2000:])
                took.append(max(queued) / 1000 - began)
                submitted.append(len(calls(self.work / "a-commands", "sbatch")) - before)
            tasks = len(queue.ask("squeue", "--noheader", "--array").splitlines())
            self.say("a", f"{TRIALS} trials submitted in {took[0]:.1f} s by {submitted[0]} calls of sbatch; "
                     f"a second run took them up in {took[1]:.1f} s with {submitted[1]} calls; {tasks} in the queue")
            self.expect_none(submitted[1], tasks - TRIALS)

    def cached(self):
        """A lab with as many trainings in its store, made once."""
        if self.cached_lab is None:
            lab = self.lab("cached")
            lab.describe(range(TRIALS), 1)
            began = time.perf_counter()
            lab.run(executor=False)
            self.cached_lab = lab, time.perf_counter() - began
        return self.cached_lab

    # A run with nothing to do.
    def b(self):
        lab, made = self.cached()
        times = []
        for _ in range(5):
            took, done = lab.timed(*lab.command(executor=False)[1:])
            times.append(took)
            if f"{TRIALS + 1} cached" not in done.stdout:
                raise Broken(f"not all was cached: {done.stdout[-300:]}")
        self.say("b", f"a run of {TRIALS} cached trainings: best {min(times) * 1000:.0f} ms, median "
                 f"{statistics.median(times) * 1000:.0f} ms of {len(times)} (they took {made:.0f} s to execute)")

    # Questions to the queue while jobs run.
    def c(self):
        parts = []
        with Slurm(self.work / "c-slurm") as queue:
            for poll, seconds in (None, 30), (1, 10):
                commands = counted(self.work / f"c-commands-{poll}", "squeue")
                lab = self.lab(f"c-{poll}", commands | queue.environment)
                lab.site("slurm", **({} if poll is None else {"poll": poll}))
                lab.describe([1, 2], 1_000_000)
                run = lab.start("--events", lab.folder / "events")
                try:
                    wait_for("two jobs", lambda: len(lab.events("events", "stage-started")) >= 3, 60)
                    began = time.time()
                    time.sleep(seconds)
                    asked = [at for at in calls(self.work / f"c-commands-{poll}", "squeue")
                             if began <= at < began + seconds]
                finally:
                    end(run)
                    queue.ask("scancel", f"--user={os.getuid()}", check=False)
                name = "the default" if poll is None else f"{poll} s"
                parts.append(f"{len(asked) * 10 / seconds:.1f} with `poll` {name} (over {seconds} s)")
        self.say("c", f"calls of squeue in 10 s while jobs run: {', '.join(parts)}")

    # The share of the time in which workers of HyperQueue work.
    def d(self, workers=4, trials=80):
        processors = len(os.sched_getaffinity(0))
        with Server("hyperqueue-server", self.work / "d-queue", "--workers", str(workers), "--cpus", "1") as queue:
            lab = self.lab("d", queue.environment)
            lab.site("hyperqueue", poll=1)

            def tasks():
                jobs = json.loads(queue.ask("hq", "job", "list", "--all", "--output-mode", "json"))
                ids = [str(job["id"]) for job in jobs]
                listed = json.loads(queue.ask("hq", "task", "list", ",".join(ids), "--output-mode", "json"))
                return {
                    (job, task["id"]): (moment(task["started_at"]), moment(task["finished_at"]))
                    for job, of_job in listed.items() for task in of_job
                }

            def run(seeds, epochs):
                """The beginnings and ends of these trials, and the time of the run."""
                lab.describe(seeds, epochs)
                before = set(tasks()) if seeds[0] else set()
                began = time.time()
                lab.run()
                wall = time.time() - began
                return [times for task, times in tasks().items() if task not in before], wall

            def length(seed, epochs):
                """Of a trial while as many run as there are workers, which may share the processors."""
                times, _ = run(range(seed, seed + 3 * workers), epochs)
                return statistics.fmean(end - start for start, end in times)

            # The first task of a worker finds no files in memory, and no inputs in its store.
            run([0], 1)
            short, long = length(100, 1), length(200, 101)
            epochs = max(1, round(1 + (1 - short) * 100 / max(long - short, 0.01)))
            ((began, ended),), _ = run([1], epochs)
            times, wall = run(range(1000, 1000 + trials), epochs)
            busy = sum(end - start for start, end in times)
            span = max(end for _, end in times) - min(start for start, _ in times)
            shared = f", which share {processors} processors" if processors < workers else ""
            self.say("d", f"{len(times)} trials of {ended - began:.2f} s alone ({epochs} epochs), "
                     f"{busy / len(times):.2f} s together, on {workers} workers{shared}: utilisation "
                     f"{busy / (workers * span):.1%} of {span:.1f} s from the first to the last, "
                     f"{busy / (workers * wall):.1%} of the run's {wall:.1f} s")

    # Kills of controllers, jobs and the queue.
    def e(self):
        wanted, kills, pipelines = self.arguments.kills, collections.Counter(), 0
        wrong, failed, twice, by_queue, submitted_twice = 0, 0, 0, 0, 0
        with Slurm(self.work / "e-slurm", "--nodes", "2") as queue:
            while sum(kills.values()) < wanted:
                lab = self.lab(f"e-{pipelines}", queue.environment)
                lab.site("slurm", poll=1, patience=20)
                lab.describe([2 * pipelines, 2 * pipelines + 1], 300, algorithms=("bp", "fa", "dfa", "kp"),
                             evaluate=True)
                home = lab.local()
                pipelines += 1
                victims, failures = self.killed(lab, queue, kills, wanted)
                failed += failures
                wait_for("the end of all jobs", lambda: queue.repair() or queue.is_empty(), 120, 2)
                there = artifacts(lab.run())
                if there != home:
                    wrong += 1
                    print(f"   wrong: {lab.folder}", file=sys.stderr)
                for key, endings in lab.attempts().items():
                    done = [name for name, ending in endings.items() if ending == "done"]
                    if len(done) > 1 and key not in victims:
                        # WAVE-ARRAY_INDEX.RESTART: a job that began again, or one of an array that was forgotten.
                        jobs = {name.rsplit(".", 1)[0] for name in done}
                        arrays = {name.split("-")[1].split("_")[0] for name in jobs}
                        if len(jobs) == 1 or arrays & set(queue.lost()):
                            by_queue += 1
                        else:
                            twice += 1
                            print(f"   twice: {lab.folder}: {key}: {done}", file=sys.stderr)
                waves = collections.Counter()
                for wave in (lab.hub / "cluster/waves").glob("*.json"):
                    waves.update(set(json.loads(wave.read_text())["actions"]))
                repeated = [key for key, count in waves.items() if count > 1 and key not in victims]
                submitted_twice += len(repeated)
                if there == home and not failures:
                    shutil.rmtree(lab.folder)
                self.progress("e", f"{sum(kills.values())} kills in {pipelines} pipelines: {wrong} wrong, "
                              f"{failed} failed, {twice} twice")
            forgotten = sum(queue.lost().values())
        self.say("e", f"{sum(kills.values())} kills ({', '.join(f'{kills[k]} of a {k}' for k in sorted(kills))}) in "
                 f"{pipelines} pipelines: {wrong} wrong results, {failed} runs that failed, {twice} actions executed "
                 f"twice whose jobs were not killed (and {by_queue} whose job Slurm forgot or began again; it forgot "
                 f"{forgotten} arrays), {submitted_twice} such actions submitted again")
        self.expect_none(wrong, twice, failed)

    def killed(self, lab, queue, kills, wanted):
        """Runs the pipeline while kills happen; the actions whose jobs were killed, and the runs that failed."""
        draw, victims, failures = self.draw, collections.Counter(), 0
        back, killed = None, -math.inf
        # Where runs begin slowly, they are killed less often: one that is always killed at its beginning gets nowhere.
        came_to, slowness = 0, 1
        run = lab.start()
        end_at, repair_at = time.monotonic() + LONGEST, time.monotonic() + 8
        next_at, victim = time.monotonic() + draw.uniform(0.3, 2), draw.choice(["controller", "job", "queue"])
        try:
            while True:
                now = time.monotonic()
                if now > end_at:
                    raise Broken(f"a run does not end: {lab.said}")
                if back is not None and now >= back:
                    queue.restart()
                    back = None
                if back is None and now >= repair_at:
                    queue.repair()
                    repair_at = now + 8
                if run.poll() is not None and run.returncode == 0:
                    break
                if run.poll() is not None:
                    failures += 1
                    print(f"   failed: {lab.said}: {text_of(lab.said)[-600:]}", file=sys.stderr)
                    if failures > 2:
                        raise Broken(f"runs fail: {lab.said}")
                    run = lab.start()
                if now >= next_at and sum(kills.values()) < wanted:
                    # An action that is lost three times is given up, as it should be.
                    jobs = [job for job in lab.executions() if victims[job[1]] < 2]
                    is_settled = back is None and now >= killed + RESPITE
                    is_there = {"controller": True, "job": jobs, "queue": is_settled}
                    if not is_there[victim] and now < next_at + 5:
                        time.sleep(0.02)
                        continue
                    if not is_there[victim] or victim == "controller":
                        victim = "controller"
                        end(run)
                        time.sleep(draw.choice([0, draw.uniform(0, 1)]))
                        run = lab.start()
                    elif victim == "job":
                        process, key = draw.choice(jobs)
                        with contextlib.suppress(ProcessLookupError):
                            victims[key] += 1
                            os.kill(process, signal.SIGKILL)
                    else:
                        queue.kill()
                        back = time.monotonic() + draw.uniform(0, 4)
                        killed = back
                    kills[victim] += 1
                    self.progress("e", f"{sum(kills.values())} kills")
                    victim = draw.choice(["controller", "job", "queue"])
                    before, came_to = came_to, len(list((lab.hub / "results").glob("*/*/*")))
                    slowness = 1 if came_to > before else min(slowness * 1.2, 15)
                    next_at = time.monotonic() + draw.uniform(0.2, 2) * slowness
                time.sleep(0.02)
        finally:
            end(run)
            if back is not None:
                queue.restart()
        return victims, failures

    # Preemptions of a training, each time onto a machine that has nothing of it.
    def f(self):
        wanted, preemptions, trainings, wrong, lost = self.arguments.preemptions, 0, 0, 0, []
        with Slurm(self.work / "f-slurm") as queue:
            while preemptions < wanted:
                lab = self.lab(f"f-{trainings}", queue.environment)
                stores = f"{lab.folder}/node-$SLURM_JOB_ID-${{SLURM_RESTART_COUNT:-0}}"
                lab.site("slurm", local_store=stores, poll=1, patience=20)
                lab.describe([trainings], max(60, 6 * wanted), images=50_000, layers=("fc 64",))
                trainings += 1
                home = lab.local()
                run = lab.start()
                try:
                    while preemptions < wanted:
                        more = self.preempted(lab, queue, run)
                        if more is None:
                            break
                        preemptions += 1
                        lost.append(more)
                        self.progress("f", f"{preemptions} preemptions in {trainings} trainings")
                    wait_for("the end of the training", lambda: run.poll() is not None)
                finally:
                    end(run)
                if run.returncode or artifacts(lab.run()) != home:
                    wrong += 1
                    print(f"   wrong: {lab.said}: {text_of(lab.said)[-600:]}", file=sys.stderr)
        self.say("f", f"{preemptions} preemptions in {trainings} trainings: {wrong} artifacts that differ from "
                 f"undisturbed ones; epochs lost each time: at most {max(lost)}, {sum(lost)} in all")
        self.expect_none(wrong)

    def preempted(self, lab, queue, run):
        """Preempts the job of the run once it has got on; the epochs lost, or nothing once the run has ended."""

        def newest():
            found = [(int(path.name.rsplit("-", 1)[1]), path.parent)
                     for path in lab.folder.glob("node-*/scratch/*/checkpoint-*")]
            return max(found, default=(0, None))

        def job():
            for line in queue.ask("squeue", "--noheader", "--array", "--format=%i %T").splitlines():
                name, state = line.split()
                if state == "RUNNING":
                    return name
            return None

        def ended():
            return run.poll() is not None

        wanted = newest()[0] + self.draw.randint(1, 4)
        wait_for("epochs", lambda: ended() or newest()[0] >= wanted)
        name = wait_for("a job that runs", lambda: job() or ended())
        if ended():
            return None
        stores = set(lab.folder.glob("node-*"))
        queue.ask("scontrol", "requeue", name, check=False)

        def is_waiting():
            described = queue.ask("scontrol", "show", "job", name, check=False)
            return "JobState=PENDING" in described or ended()

        wait_for("the end of the preempted job", lambda: is_waiting() and not lab.executions() or ended(), 60)
        if ended():
            return None
        finished = newest()[0]
        # A node starts nothing of a job in the second in which it ended it.
        time.sleep(2.5)
        queue.ask("scontrol", "update", f"JobId={name}", "StartTime=now", check=False)

        def resumed():
            logs = [log for store in set(lab.folder.glob("node-*")) - stores for log in store.glob("scratch/*/log.txt")]
            found = [re.findall(r"resuming after epoch (\d+)", text_of(log)) for log in logs]
            for epochs in filter(None, found):
                return [int(epochs[-1])]
            # A worker says so before anything else; one that has had time to say it began anew.
            return [0] if any(time.time() - log.stat().st_mtime > 10 for log in logs) else None

        (begun,) = wait_for("the job's new beginning", lambda: resumed() or ended() and [None], 60)
        return None if begun is None else finished - begun

    # Pushing again what a remote has.
    def g(self):
        lab = self.lab("g")
        (lab.folder / "pipeline.toml").write_text('name = "bench"\n' + "".join(
            f'[stage.mnist-{count}]\nkind = "dataset"\nsource = "mnist"\nvalidation = 0\n'
            f"limit = {{ train = {count}, test = 64 }}\n"
            for count in range(1, PUSHED + 1)
        ))
        lab.run(executor=False)
        remote = str(lab.folder / "remote")
        store = ["--store", str(lab.folder / "store")]
        first, _ = lab.timed("push", remote, *store)
        files = sum(len(names) for _, _, names in os.walk(remote))
        again = min(lab.timed("push", remote, *store)[0] for _ in range(3))
        verify = min(lab.timed("push", remote, "--verify", *store)[0] for _ in range(3))
        self.say("g", f"a push of {files} files to a folder: {first:.1f} s; again {again * 1000:.0f} ms, with --verify "
                 f"{verify * 1000:.0f} ms (best of 3)")

    # A remote that takes connections and never answers.
    def h(self):
        with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
            lab = self.lab("h", {
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{silent.getsockname()[1]}",
                "AWS_ALLOW_HTTP": "true",
                "AWS_ACCESS_KEY_ID": "nobody",
                "AWS_SECRET_ACCESS_KEY": "nothing",
                "AWS_REGION": "us-east-1",
            })
            lab.describe(range(4), 1)
            times = {"--no-look-up": [], None: []}
            lab.timed("remote", "add", "lab", "s3://bucket/x", "--look-up", "any")
            for number in range(3):
                for option, taken in times.items():
                    store = str(lab.folder / f"store-{number}-{option}")
                    more = ["--store", store] + ([option] if option else [])
                    took, done = lab.timed(*lab.command(*more, executor=False)[1:])
                    taken.append(took)
                    if option is None:
                        said = done.stderr
        without, asked = (statistics.median(taken) for taken in times.values())
        about = [line for line in said.splitlines() if "lab" in line or "s3:" in line]
        self.say("h", f"a run of 5 new stages with a remote that never answers: {asked:.2f} s, with --no-look-up "
                 f"{without:.2f} s, {asked - without:+.2f} s (medians of 3); it says: {' / '.join(about)[:200]}")

    # A shared folder that shows names late.
    def i(self):
        wanted, library = self.arguments.delayed, self.work / "late.so"
        compiler = shutil.which("cc")
        if compiler is None:
            raise Skipped("there is no cc")
        subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, FIXTURES / "late.c", "-ldl"], check=True)
        delays = [self.draw.uniform(0, LATEST) for _ in range(wanted)]
        home = self.lab("i-home")
        homes = []
        for number in range(min(wanted, PIPELINES)):
            self.describe_late(home, number)
            homes.append(home.local())
        # They wait most of the time.
        together = min(wanted, TOGETHER * len(os.sched_getaffinity(0)))
        endings = []
        with concurrent.futures.ThreadPoolExecutor(together) as pool:
            started = [pool.submit(self.delayed, library, homes, *it) for it in enumerate(delays)]
            for run in concurrent.futures.as_completed(started):
                endings.append(run.result())
                found = collections.Counter(ending for ending, _ in endings)
                self.progress("i", f"{len(endings)} runs: {found['failed']} failed, {found['wrong']} wrong")
        times = [took for _, took in endings]
        self.say("i", f"{wanted} runs on a folder that shows names up to 0-{LATEST} s late, {together} together: "
                 f"{found['failed']} wrong failures, {found['wrong']} wrong ends, {found['ok']} right; "
                 f"{statistics.median(times):.0f} s each (median), at most {max(times):.0f} s")
        self.expect_none(wanted - found["ok"])

    def describe_late(self, lab, number):
        # Every fourth has two trainings: a job takes over a second of a processor, most of it to load libtorch.
        lab.describe([number], 2, algorithms=("bp", "fa") if number % 4 == 0 else ("bp",), evaluate=True)

    def delayed(self, library, homes, number, seconds):
        home = homes[number % len(homes)]
        lab = self.lab(f"i-{number}")
        lab.hub.mkdir()
        commands, state = lab.folder / "commands", lab.folder / "queue"
        commands.mkdir()
        state.mkdir()
        for name in "sbatch", "squeue", "scontrol":
            (commands / name).symlink_to(FIXTURES / "slurm")
        # Each job is on a machine of its own, whose store is empty.
        node = "node-$SLURM_ARRAY_JOB_ID-$SLURM_ARRAY_TASK_ID"
        lab.site(
            "slurm", local_store=f"{lab.folder}/{node}", patience=math.ceil(seconds) + 2,
            setup=[f"export LD_PRELOAD={library} LATE_NODE={node}"],
        )
        self.describe_late(lab, number % len(homes))
        # No job makes the dataset.
        lab.run("--only", "mnist", executor=False)
        quiet = dict(lab.environment)
        lab.environment |= {
            "PATH": f"{commands}:{lab.environment['PATH']}",
            "FAKE_SLURM": str(state),
            "LD_PRELOAD": str(library),
            "LATE_ROOT": str(lab.hub),
            "LATE_NODE": "login",
            "LATE_SECONDS": f"{seconds:.3f}",
            "LATE_REGISTRY": str(lab.folder / "registry"),
        }
        began = time.monotonic()
        run = lab.start()
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                run.wait(3 * LONGEST)
            took = time.monotonic() - began
        finally:
            # With the tasks of its queue, which has its processes in the session of the run.
            (state / "down").touch()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)
            run.wait()
            for file in (state / "pids").glob("*"):
                with contextlib.suppress(ValueError, OSError):
                    os.killpg(int(file.read_text()), signal.SIGKILL)
        if run.returncode:
            print(f"   failed after {took:.0f} s, names up to {seconds:.1f} s late: {lab.said}: "
                  f"{text_of(lab.said)[-800:]}", file=sys.stderr)
            return "failed", took
        lab.environment = quiet
        _, audit = lab.timed("audit", "--all", "--store", str(lab.folder / "store"), check=False)
        there = lab.run(executor=False)
        # All must be cached: it was done.
        is_right = audit.returncode == 0 and artifacts(there) == home
        is_right &= all(stage["outcome"] == "cached" for stage in there)
        if is_right:
            # A thousand of them would fill the disk.
            shutil.rmtree(lab.folder)
        else:
            print(f"   wrong: {lab.folder}: {audit.stdout[-400:]} {audit.stderr[-400:]}", file=sys.stderr)
        return ("ok" if is_right else "wrong"), took


def moment(text):
    """Seconds since 1970 of `2026-01-31T12:00:00.123456789Z`."""
    whole, _, part = text.rstrip("Z").partition(".")
    at = datetime.datetime.fromisoformat(whole).replace(tzinfo=datetime.timezone.utc)
    return at.timestamp() + float(f"0.{part or 0}")


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n")[0])
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("pipeline", type=pathlib.Path)
    parser.add_argument("--kills", type=int, default=20, help="the full figure is 500")
    parser.add_argument("--preemptions", type=int, default=5, help="the full figure is 20")
    parser.add_argument("--delayed", type=int, default=5, help="the full figure is 1000")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32), help="of what happens by chance")
    parser.add_argument("--only", default="a,b,c,d,e,f,g,h,i", help="the measures, by their letters")
    arguments = parser.parse_args()
    # Stopped by a limit on its time, it stops its servers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    arguments.work.mkdir(parents=True, exist_ok=True)
    print(f"{len(os.sched_getaffinity(0))} processors; --seed {arguments.seed}", flush=True)
    bench = Bench(arguments)
    is_broken = False
    for letter in arguments.only.split(","):
        try:
            getattr(bench, letter)()
        except Skipped as reason:
            bench.say(letter, f"skipped: {reason}")
        except Broken as reason:
            is_broken = True
            bench.say(letter, f"broken off: {reason}")
    sys.exit(is_broken or bench.is_wrong)


if __name__ == "__main__":
    main()
