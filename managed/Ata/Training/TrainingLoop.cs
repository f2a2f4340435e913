using System.Diagnostics;
using Ata.Data;
using Ata.Interop;

namespace Ata.Training;

/// <content>The loop over the data.</content>
public sealed partial class TrainingRun
{
    /// <summary>What lives from the beginning of <see cref="FitAsync"/> to its end.</summary>
    private sealed class Loop : IDisposable
    {
        private readonly TrainingRun _run;
        private readonly IProgress<TrainingProgress>? _progress;
        private readonly VideoLoader _loader;
        private readonly BatchUploader _batches;
        private readonly MetricsLog? _metrics;
        private readonly TensorBoardWriter? _events;
        private readonly long _start = Stopwatch.GetTimestamp();
        private readonly long _firstStep;
        private readonly float[] _logits;
        private TimeSpan _waitedBefore;
        private long _intervalStart = Stopwatch.GetTimestamp();
        private long _intervalClips;
        private double _lastLoss;

        internal Loop(TrainingRun run, IProgress<TrainingProgress>? progress)
        {
            _run = run;
            _progress = progress;
            _firstStep = run.Step;
            _logits = new float[checked(Options.BatchSize * run._model.Config.Classes)];
            if (run._directory is { } directory)
            {
                State.MetricsLength = MetricsLog.Repair(directory.Metrics, State.MetricsLength, run.Step, run.LogDamage);
                State.EventsLength = TensorBoardWriter.Repair(directory.Events, State.EventsLength, run.LogDamage);
                _metrics = new MetricsLog(directory.Metrics, State.MetricsLength);
                try
                {
                    _events = new TensorBoardWriter(directory.Events, State.EventsLength);
                }
                catch
                {
                    _metrics.Dispose();
                    throw;
                }

                RestoreLastRecords(directory);
            }

            _loader = VideoLoader.ForTraining(
                run._train,
                Options.TrainingLoader(run._model.Config, v => run.LogBrokenVideo(v.Path, v.Reason)),
                State.Batches);
            _batches = new BatchUploader(_loader, run._model.Device);
        }

        private TrainingRunOptions Options => _run._options;

        private TrainingState State => _run._state;

        private double Epoch => _run.Step / Options.StepsPerEpoch(_run._train.Count);

        public void Dispose()
        {
            _batches.Dispose();
            _loader.Dispose();
            _metrics?.Dispose();
            _events?.Dispose();
        }

        internal async Task TrainAsync(CancellationToken cancellationToken)
        {
            try
            {
                if (State.ValidationPending)
                {
                    await ValidateAsync(cancellationToken).ConfigureAwait(false);
                }

                while (_run.Step < _run._totalSteps && !State.Ended)
                {
                    await TrainOnBatchAsync(cancellationToken).ConfigureAwait(false);
                    if (State.Batches % Options.Accumulate == 0)
                    {
                        await UpdateAsync(cancellationToken).ConfigureAwait(false);
                    }
                }
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                Report(TrainingPhase.Saving);
                _run.Save(_metrics, _events);
                throw;
            }

            Finish();
        }

        internal TrainingResult Result() => new()
        {
            Steps = _run.Step,
            StoppedEarly = State.Ended && _run.Step < _run._totalSteps,
            BestStep = State.BestStep,
            Best = State.Best,
            Validation = _run._lastValidation,
            BrokenVideos = _loader.BrokenVideos,
        };

        private async Task TrainOnBatchAsync(CancellationToken cancellationToken)
        {
            using UploadedBatch uploaded = await _batches.NextAsync(cancellationToken).ConfigureAwait(false);
            ClipBatch batch = uploaded.Batch;
            _lastLoss = OrDiverged(() => _run._trainer.Accumulate(uploaded.Clips, batch.Targets, _logits, 1f / Options.Accumulate, cancellationToken));
            var counts = new ClassificationMetrics(_run._model.Config.Classes);
            for (int i = 0; i < batch.Labels.Length; ++i)
            {
                counts.Add(_logits.AsSpan(i * counts.Classes, counts.Classes), LabelOf(batch, i), _lastLoss);
            }

            MetricsInterval sum = State.Interval;
            State.Interval = new MetricsInterval(
                sum.Clips + counts.Count, sum.Loss + (_lastLoss * counts.Count), sum.Top1 + counts.Correct, sum.Top5 + counts.CorrectInTop5);
            _intervalClips += counts.Count;
            ++State.Batches;
        }

        /// <summary>The class that a clip shows most of.</summary>
        private int LabelOf(ClipBatch batch, int clip)
        {
            if (batch.Targets.ElementType == TensorElementType.Int64)
            {
                return batch.Labels[clip];
            }

            int classes = _run._model.Config.Classes;
            ReadOnlySpan<float> target = batch.Targets.AsSpan<float>().Slice(clip * classes, classes);
            int best = 0;
            for (int c = 1; c < classes; ++c)
            {
                best = target[c] > target[best] ? c : best;
            }

            return best;
        }

        private async Task UpdateAsync(CancellationToken cancellationToken)
        {
            double rate = Options.LearningRate.RateAt(_run.Step - 1, _run._totalSteps);
            _run._lastNorm = OrDiverged(() => _run._trainer.Update(rate));
            long step = _run.Step;
            bool last = step == _run._totalSteps;
            if (step % Options.LogEverySteps == 0 || last)
            {
                RecordTraining(rate);
            }

            Report(TrainingPhase.Training);
            bool validate = IsDue(Options.ValidateEverySteps, Options.ValidateEveryEpochs, step) || last;
            State.ValidationPending = validate && _run._validation is not null;
            if (State.ValidationPending)
            {
                await ValidateAsync(cancellationToken).ConfigureAwait(false);
            }

            bool save = Options.CheckpointEverySteps > 0 ? step % Options.CheckpointEverySteps == 0 : validate;
            if ((save || State.Ended) && !last)
            {
                Report(TrainingPhase.Saving);
                _run.Save(_metrics, _events);
            }
        }

        /// <summary>Says that training diverged when a number that it computed is not finite, and at which step.</summary>
        private T OrDiverged<T>(Func<T> compute)
        {
            try
            {
                return compute();
            }
            catch (AtaNotFiniteException error)
            {
                throw new TrainingDivergedException($"Training diverged at step {_run.Step}: {error.Message}.", error);
            }
        }

        /// <summary>Whether a step is the first at or after a multiple of a distance.</summary>
        private bool IsDue(int everySteps, double everyEpochs, long step)
        {
            if (everySteps > 0)
            {
                return step % everySteps == 0;
            }

            double perEpoch = Options.StepsPerEpoch(_run._train.Count) * everyEpochs;
            return everyEpochs > 0 && (perEpoch <= 1 || Math.Floor(step / perEpoch) > Math.Floor((step - 1) / perEpoch));
        }

        private void RecordTraining(double rate)
        {
            double seconds = Stopwatch.GetElapsedTime(_intervalStart).TotalSeconds;
            MetricsInterval sum = State.Interval;
            _run._lastTrainRecord = new MetricsRecord
            {
                Kind = MetricsKind.Train,
                Step = _run.Step,
                Epoch = Epoch,
                Loss = sum.Loss / sum.Clips,
                Top1 = (double)sum.Top1 / sum.Clips,
                Top5 = (double)sum.Top5 / sum.Clips,
                LearningRate = rate,
                GradientNorm = _run._lastNorm,
                ClipsPerSecond = _intervalClips / seconds,
                DataWait = Math.Min(1, (_batches.Waited - _waitedBefore).TotalSeconds / seconds),
            };
            State.Interval = default;
            Add(_run._lastTrainRecord);
            BeginInterval();
        }

        private void BeginInterval()
        {
            _intervalStart = Stopwatch.GetTimestamp();
            _intervalClips = 0;
            _waitedBefore = _batches.Waited;
        }

        private async Task ValidateAsync(CancellationToken cancellationToken)
        {
            using Model model = _run.AveragedModel();
            Report(TrainingPhase.Validating);
            EvaluationResult result = await Evaluator.EvaluateAsync(
                model,
                _run._validation!,
                Options.ValidationLoader(model.Config, v => _run.LogBrokenVideo(v.Path, v.Reason)),
                progress: _progress is null ? null : new ValidationProgress(this),
                cancellationToken: cancellationToken).ConfigureAwait(false);
            _run._lastValidation = result;
            _run._lastValidationRecord = new MetricsRecord
            {
                Kind = MetricsKind.Validation,
                Step = _run.Step,
                Epoch = Epoch,
                Loss = result.Loss,
                Top1 = result.Top1,
                Top5 = result.Top5,
                MeanClassAccuracy = result.MeanClassAccuracy,
                ClipsPerSecond = result.Videos * Options.ValidationClips * Options.ValidationCrops / Math.Max(result.Seconds, 1e-9),
            };
            Add(_run._lastValidationRecord);
            _run.LogValidation(_run.Step, result.Loss, result.Top1);
            Judge(result, model);
            State.ValidationPending = false;
            WriteValidation(result);
            BeginInterval();
            Report(TrainingPhase.Training);
        }

        /// <summary>Keeps the best model, and ends the run when validations no longer improve.</summary>
        private void Judge(EvaluationResult result, Model model)
        {
            double number = Options.BestBy switch
            {
                BestMetric.Top1 => result.Top1,
                BestMetric.MeanClassAccuracy => result.MeanClassAccuracy,
                _ => result.Loss,
            };
            bool better = State.Best is not { } best || (Options.BestBy == BestMetric.Loss ? number < best : number > best);
            State.WithoutImprovement = better ? 0 : State.WithoutImprovement + 1;
            State.Ended = Options.EarlyStopping > 0 && State.WithoutImprovement >= Options.EarlyStopping;
            if (better)
            {
                State.Best = number;
                State.BestStep = _run.Step;
                if (_run._directory is { } directory)
                {
                    model.Save(directory.BestModel);
                }
            }
        }

        private void WriteValidation(EvaluationResult result)
        {
            if (_run._directory is { } directory)
            {
                using var json = new MemoryStream();
                result.WriteJson(json);
                NativeFile.Write(directory.Validation, json.ToArray());
                WriteReport(directory);
            }
        }

        private void Finish()
        {
            if (_run._directory is not { } directory)
            {
                return;
            }

            Report(TrainingPhase.Saving);
            using (Model model = _run.AveragedModel())
            {
                model.Save(directory.FinalModel);
            }

            _run.Save(_metrics, _events);
            WriteReport(directory);
        }

        private void WriteReport(RunDirectory directory)
        {
            string title = Path.GetFileName(Path.GetFullPath(directory.Path).TrimEnd(Path.DirectorySeparatorChar));
            TrainingReport.Write(directory.Report, title, MetricsLog.Read(directory.Metrics), _run._lastValidation, _run.Settings());
        }

        private void Add(MetricsRecord record)
        {
            _metrics?.Add(record);
            string prefix = record.Kind == MetricsKind.Train ? "train/" : "validation/";
            var scalars = new List<KeyValuePair<string, double>>();
            record.WriteScalars((name, value) => scalars.Add(new(prefix + name, value)), timing: false);
            record.WriteScalars((name, value) => scalars.Add(new(prefix + name, value)), timing: true);
            _events?.Add(record.Step, scalars);
        }

        /// <summary>Shows a continued run what the stopped one knew.</summary>
        private void RestoreLastRecords(RunDirectory directory)
        {
            if (State.Batches > 0)
            {
                IReadOnlyList<MetricsRecord> records = MetricsLog.Read(directory.Metrics);
                _run._lastTrainRecord = records.LastOrDefault(r => r.Kind == MetricsKind.Train);
                _run._lastValidationRecord = records.LastOrDefault(r => r.Kind == MetricsKind.Validation);
                if (_run._lastValidationRecord is not null && File.Exists(directory.Validation))
                {
                    RestoreLastValidation(directory.Validation);
                }
            }
        }

        private void RestoreLastValidation(string path)
        {
            try
            {
                _run._lastValidation = EvaluationResult.ReadJson(path);
            }
            catch (Exception error) when (error is InvalidDataException or IOException)
            {
                _run.LogDamage($"The report leaves the last validation out: {error.Message}");
            }
        }

        private void Report(TrainingPhase phase, int validated = 0)
        {
            if (_progress is null)
            {
                return;
            }

            TimeSpan elapsed = Stopwatch.GetElapsedTime(_start);
            long done = _run.Step - _firstStep;
            _progress.Report(new TrainingProgress
            {
                Phase = phase,
                Step = _run.Step,
                TotalSteps = _run._totalSteps,
                Epoch = Epoch,
                Loss = _lastLoss,
                Train = _run._lastTrainRecord,
                Validation = _run._lastValidationRecord,
                Best = State.Best,
                ValidatedVideos = validated,
                BrokenVideos = _loader.BrokenVideos.Count,
                Elapsed = elapsed,
                Remaining = done > 0 ? elapsed * ((double)(_run._totalSteps - _run.Step) / done) : TimeSpan.Zero,
            });
        }

        private sealed class ValidationProgress(Loop loop) : IProgress<EvaluationProgress>
        {
            public void Report(EvaluationProgress value) => loop.Report(TrainingPhase.Validating, value.Videos);
        }
    }
}
