'use strict';
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const {rows, columns, times} = data;
  const frames = times.length;
  const patches = rows * columns;
  const lit = '#ffd21f';
  const byId = (id) => document.getElementById(id);

  function make(name, properties, ...children) {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  }

  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const methods = data.methods.map((method) => ({
    ...method,
    positions: new Uint16Array(bytes(method.positions).buffer),
    similarities: Float32Array.from(new Int16Array(bytes(method.similarities).buffer), (v) => v / 32767),
  }));
  const colors = bytes(data.colors);

  // What is shown: an anchor is a patch of a frame, and stands for the trajectories through it.
  const state = {method: data.selected, pair: 0, kept: null, hovered: null, painted: false};
  const method = () => methods[state.method];
  const anchor = () => state.hovered ?? state.kept;
  const at = (trajectory, frame) => method().positions[frame * patches + trajectory];

  function trajectoriesOf({frame, patch}) {
    const found = [];
    for (let n = 0; n < patches; ++n) if (at(n, frame) === patch) found.push(n);
    return found;
  }

  function similarity(trajectories, frame) {
    let sum = 0;
    for (const n of trajectories) sum += method().similarities[frame * patches + n];
    return sum / trajectories.length;
  }

  // --- Pictures -----------------------------------------------------------------------------------

  const sources = data.frames.map((source, frame) => make('img', {src: source, alt: `Frame ${frame + 1}`, draggable: false}));
  const box = (patch, size) => [(patch % columns) * size, Math.floor(patch / columns) * size];

  // Veils all but the trajectories' patches, which get a border of `line` pixels, on a canvas of `size` pixels a patch.
  function light(context, size, frame, trajectories, line) {
    const {width, height} = context.canvas;
    context.clearRect(0, 0, width, height);
    if (state.painted) {
      context.imageSmoothingEnabled = false;
      context.drawImage(colorsOf(frame), 0, 0, width, height);
    }
    if (trajectories.length === 0) return;
    const chosen = new Set(trajectories.map((n) => at(n, frame)));
    context.fillStyle = 'rgba(0,0,0,.3)';
    context.fillRect(0, 0, width, height);
    for (const patch of chosen) context.clearRect(...box(patch, size), size, size);
    // Around the patch, but inside the picture.
    const inside = (from, limit) => [Math.max(from - line / 2, line), Math.min(from + size + line / 2, limit - line)];
    for (const [color, thickness] of [['#000', 2 * line], [lit, line]]) {
      context.strokeStyle = color;
      context.lineWidth = thickness;
      for (const patch of chosen) {
        const [x, y] = box(patch, size);
        const [[x0, x1], [y0, y1]] = [inside(x, width), inside(y, height)];
        context.strokeRect(x0, y0, x1 - x0, y1 - y0);
      }
    }
  }

  // One pixel a patch: the colour of the place where its trajectory begins; the mean where several meet, nothing where
  // none passes.
  const layers = new Map();
  function colorsOf(frame) {
    const key = state.method * frames + frame;
    if (layers.has(key)) return layers.get(key);
    const layer = make('canvas', {width: columns, height: rows});
    const image = new ImageData(columns, rows);
    const sums = new Float32Array(4 * patches);
    for (let n = 0; n < patches; ++n) {
      const to = 4 * at(n, frame);
      for (let c = 0; c < 3; ++c) sums[to + c] += colors[3 * n + c];
      ++sums[to + 3];
    }
    for (let i = 0; i < sums.length; ++i) {
      const count = sums[i | 3];
      image.data[i] = count === 0 ? 0 : i % 4 === 3 ? 153 : sums[i] / count;
    }
    layer.getContext('2d').putImageData(image, 0, 0);
    layers.set(key, layer);
    return layer;
  }

  function crop(canvas, frame, patch) {
    const context = canvas.getContext('2d');
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (patch === undefined) return;
    const size = sources[frame].naturalWidth / columns;
    context.drawImage(sources[frame], ...box(patch, size), size, size, 0, 0, canvas.width, canvas.height);
  }

  // --- The pair -----------------------------------------------------------------------------------

  const clampPair = (pair) => Math.min(frames - 2, Math.max(0, pair));
  const place = (patch) => `row ${Math.floor(patch / columns) + 1}, column ${(patch % columns) + 1}`;

  const shots = ['left', 'right'].map((id, offset) => {
    const figure = byId(id);
    const grid = figure.querySelector('[role=grid]');
    const picture = figure.querySelector('canvas');
    const size = Math.ceil(840 / columns);
    picture.width = size * columns;
    picture.height = size * rows;
    const overlay = make('canvas', {width: picture.width, height: picture.height});
    picture.after(overlay);
    const cells = [];
    for (let y = 0; y < rows; ++y) {
      const row = make('div', {role: 'row'});
      for (let x = 0; x < columns; ++x) {
        const cell = make('div', {role: 'gridcell', id: `${id}-${y * columns + x}`, ariaLabel: place(y * columns + x)});
        cells.push(cell);
        row.append(cell);
      }
      grid.append(row);
    }
    const shot = {figure, grid, cells, picture, overlay, size, caption: figure.querySelector('figcaption'), frame: () => state.pair + offset};
    listen(grid, shot.frame);
    grid.addEventListener('keydown', (event) => move(event, shot));
    return shot;
  });

  function patchUnder(event, element) {
    const {left, top, width, height} = element.getBoundingClientRect();
    const x = Math.floor((columns * (event.clientX - left)) / width);
    const y = Math.floor((rows * (event.clientY - top)) / height);
    return x >= 0 && x < columns && y >= 0 && y < rows ? y * columns + x : -1;
  }

  function listen(element, frame, chosen = () => {}) {
    element.addEventListener('pointermove', (event) => {
      const hovered = {frame: frame(), patch: patchUnder(event, element)};
      if (hovered.patch < 0) change({hovered: null});
      else if (state.hovered?.frame !== hovered.frame || state.hovered.patch !== hovered.patch) change({hovered});
    });
    for (const end of ['pointerleave', 'pointercancel']) element.addEventListener(end, () => change({hovered: null}));
    element.addEventListener('click', (event) => {
      const patch = patchUnder(event, element);
      if (patch < 0) return;
      change({kept: {frame: frame(), patch}, hovered: null});
      chosen();
    });
  }

  // The patch that the keyboard is at: the first of the anchor's in this frame.
  function current(frame) {
    const kept = state.kept;
    if (kept.frame === frame) return kept.patch;
    const [first] = trajectoriesOf(kept);
    return first === undefined ? kept.patch : at(first, frame);
  }

  function move(event, shot) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const frame = shot.frame();
    const patch = current(frame);
    const column = patch % columns;
    const targets = {
      ArrowLeft: column > 0 ? patch - 1 : patch,
      ArrowRight: column < columns - 1 ? patch + 1 : patch,
      ArrowUp: patch >= columns ? patch - columns : patch,
      ArrowDown: patch < patches - columns ? patch + columns : patch,
      Home: patch - column,
      End: patch - column + columns - 1,
    };
    if (event.key in targets) change({kept: {frame, patch: targets[event.key]}, hovered: null});
    else if (event.key === 'PageUp') change({pair: clampPair(state.pair - 1)});
    else if (event.key === 'PageDown') change({pair: clampPair(state.pair + 1)});
    else return;
    event.preventDefault();
  }

  function showPair(trajectories) {
    const line = (2.5 * shots[0].picture.width) / shots[0].grid.clientWidth;
    for (const shot of shots) {
      const frame = shot.frame();
      shot.picture.getContext('2d').drawImage(sources[frame], 0, 0, shot.picture.width, shot.picture.height);
      light(shot.overlay.getContext('2d'), shot.size, frame, trajectories, line);
      shot.caption.textContent = `Frame ${frame + 1}, ${times[frame].toFixed(2)} s`;
      shot.grid.ariaLabel = `Patches of frame ${frame + 1}`;
      const active = shot.cells[current(frame)];
      shot.grid.querySelector('[aria-selected]')?.removeAttribute('aria-selected');
      active.ariaSelected = 'true';
      shot.grid.setAttribute('aria-activedescendant', active.id);
    }
    const ends = trajectories.length === 0 ? [] : shots.map((shot) => centre(shot, at(trajectories[0], shot.frame())));
    byId('link').toggleAttribute('hidden', ends.length === 0);
    if (ends.length === 0) return;
    for (const line of byId('link').children) {
      ends.forEach(([x, y], i) => {
        line.setAttribute(`x${i + 1}`, x);
        line.setAttribute(`y${i + 1}`, y);
      });
    }
  }

  function centre(shot, patch) {
    const {left, top} = byId('pair').getBoundingClientRect();
    const frame = shot.grid.getBoundingClientRect();
    const [x, y] = box(patch, frame.width / columns);
    return [frame.left - left + x + frame.width / columns / 2, frame.top - top + y + frame.width / columns / 2];
  }

  function describe(trajectories) {
    const t = state.pair;
    const crops = byId('patch').querySelectorAll('canvas');
    if (trajectories.length === 0) {
      const {frame, patch} = anchor();
      crops.forEach((canvas) => crop(canvas, 0, undefined));
      byId('value').textContent = '';
      return `No trajectory passes through ${place(patch)} of frame ${frame + 1}: under ${method().name}, other patches were more similar.`;
    }
    const [first] = trajectories;
    const [from, to] = [at(first, t), at(first, t + 1)];
    crop(crops[0], t, from);
    crop(crops[1], t + 1, to);
    const value = similarity(trajectories, t).toFixed(3);
    byId('value').textContent = `${value} →`;
    let mean = 0;
    for (let pair = 0; pair < frames - 1; ++pair) mean += similarity(trajectories, pair) / (frames - 1);
    const several = trajectories.length > 1 ? ` ${trajectories.length} trajectories meet here; similarities are their means.` : '';
    return `Frame ${t + 1}, ${place(from)} → frame ${t + 2}, ${from === to ? 'the same place' : place(to)}: similarity ${value}. ` +
      `Along the whole trajectory ${mean.toFixed(3)}.${several}`;
  }

  // --- The strip ----------------------------------------------------------------------------------

  const strip = byId('strip');
  strip.classList.toggle('few', frames <= 12);
  strip.style.setProperty('--frames', frames);
  const cells = sources.map((image, frame) => {
    const size = Math.max(4, Math.round((frames <= 12 ? 336 : 112) / columns));
    const overlay = make('canvas', {width: size * columns, height: size * rows});
    const patch = make('canvas', {width: 32, height: 32, ariaHidden: 'true'});
    const value = make('b', {});
    const picture = make('div', {className: 'frame'}, image, overlay);
    const item = make('li', {}, picture, make('p', {}, make('span', {textContent: frame + 1}), patch, value));
    listen(picture, () => frame, () => change({pair: clampPair(frame)}));
    strip.append(item);
    return {item, overlay, size, patch, value};
  });

  function showStrip(trajectories) {
    const line = (2 * cells[0].overlay.width) / cells[0].overlay.clientWidth;
    cells.forEach(({item, overlay, size, patch, value}, frame) => {
      item.classList.toggle('now', frame === state.pair || frame === state.pair + 1);
      light(overlay.getContext('2d'), size, frame, trajectories, line);
      crop(patch, frame, trajectories.length === 0 ? undefined : at(trajectories[0], frame));
      const known = trajectories.length > 0 && frame < frames - 1;
      value.textContent = known ? similarity(trajectories, frame).toFixed(2) : '–';
    });
  }

  // Not scrollIntoView, which would scroll the page too.
  function scrollStrip() {
    const {item} = cells[state.pair];
    strip.scrollLeft = item.offsetLeft - strip.offsetLeft - (strip.clientWidth - 2 * item.offsetWidth) / 2;
  }

  // --- Charts -------------------------------------------------------------------------------------

  const chart = byId('chart').querySelector('svg');
  const [left, top, right, bottom, x0, x1, y0, y1] = chart.dataset.plot.split(' ').map(Number);
  const chartX = (pair) => left + ((pair + 1 - x0) / (x1 - x0)) * (right - left);
  const chartY = (value) => bottom - ((Math.min(y1, Math.max(y0, value)) - y0) / (y1 - y0)) * (bottom - top);
  const draw = (name, className) => {
    const shape = document.createElementNS(chart.namespaceURI, name);
    shape.setAttribute('class', className);
    return chart.appendChild(shape);
  };
  const now = draw('line', 'now');
  const own = draw('polyline', 'own');
  byId('chart').querySelector('figcaption').prepend(make('span', {className: 'key path', textContent: 'chosen patch'}), ' ');
  chart.addEventListener('click', (event) => {
    const {left: edge, width} = chart.getBoundingClientRect();
    const x = ((event.clientX - edge) / width) * chart.viewBox.baseVal.width;
    change({pair: clampPair(Math.round(x0 - 1 + ((x - left) / (right - left)) * (x1 - x0)))});
  });

  function showNumbers(trajectories) {
    methods.forEach((_, i) => {
      for (const shape of chart.querySelectorAll(`.line${i},.dot${i}`)) {
        shape.dataset.line = i;
        shape.classList.toggle('chosen', i === state.method);
      }
    });
    for (const row of document.querySelectorAll('.information tr')) row.classList.toggle('chosen', row.dataset.method === method().name);
    for (const [name, value] of [['x1', chartX(state.pair)], ['x2', chartX(state.pair)], ['y1', top], ['y2', bottom]]) now.setAttribute(name, value);
    const points = trajectories.length === 0 ? [] : times.slice(1).map((_, pair) => `${chartX(pair)},${chartY(similarity(trajectories, pair))}`);
    own.setAttribute('points', points.join(' '));
    byId('mean').textContent = `Frames ${state.pair + 1} and ${state.pair + 2}, ${method().name}: mean ${method().meanSimilarity[state.pair].toFixed(3)}, ` +
      `${Math.round(100 * method().movedShare[state.pair])} % of the patches moved.`;
  }

  // --- Controls -----------------------------------------------------------------------------------

  methods.forEach(({name}, index) => {
    const radio = make('input', {type: 'radio', name: 'method', value: name, checked: index === state.method});
    radio.addEventListener('change', () => change({method: index}));
    byId('methods').append(make('label', {}, radio, name));
  });
  byId('paint').querySelector('input').addEventListener('change', (event) => change({painted: event.target.checked}));
  const slider = byId('slider');
  slider.max = frames - 2;
  slider.addEventListener('input', () => change({pair: slider.valueAsNumber}));

  let timer = 0;
  const play = byId('play');
  play.addEventListener('click', () => {
    clearInterval(timer);
    const playing = play.ariaPressed !== 'true';
    play.ariaPressed = String(playing);
    play.textContent = playing ? 'Pause' : 'Play';
    // At the clip's pace, but so that one can follow.
    const fastest = matchMedia('(prefers-reduced-motion: reduce)').matches ? 1000 : 150;
    const pace = (1000 * (times[frames - 1] - times[0])) / (frames - 1);
    if (playing) timer = setInterval(() => change({pair: (state.pair + 1) % (frames - 1)}), Math.max(fastest, pace));
  });

  // --- All ----------------------------------------------------------------------------------------

  let pending = false;
  let scrolled = -1;

  function change(values) {
    Object.assign(state, values);
    if (pending) return;
    pending = true;
    requestAnimationFrame(() => {
      pending = false;
      show();
    });
  }

  function show() {
    const trajectories = trajectoriesOf(anchor());
    slider.value = state.pair;
    slider.ariaValueText = `frames ${state.pair + 1} and ${state.pair + 2}`;
    document.querySelector('#time output').textContent =
      `Frames ${state.pair + 1} and ${state.pair + 2} of ${frames}`;
    showPair(trajectories);
    showStrip(trajectories);
    showNumbers(trajectories);
    const status = describe(trajectories);
    if (byId('status').textContent !== status) byId('status').textContent = status;
    if (scrolled !== state.pair) scrollStrip();
    scrolled = state.pair;
  }

  // The patch to begin with: one that moves on and on by small steps, and stays alike.
  function traveller() {
    const exact = methods.find(({name}) => name === 'exact');
    const score = (n) => {
      let sum = 0;
      for (let i = n; i < patches * (frames - 1); i += patches) {
        const [a, b] = [exact.positions[i], exact.positions[i + patches]];
        const step = Math.max(Math.abs((a % columns) - (b % columns)), Math.abs(Math.floor(a / columns) - Math.floor(b / columns)));
        if (step > 0) sum += step <= 2 ? exact.similarities[i] : -1;
      }
      return sum;
    };
    const scores = Array.from({length: patches}, (_, n) => score(n));
    return {frame: 0, patch: scores.indexOf(Math.max(...scores))};
  }

  state.kept = traveller();
  addEventListener('resize', () => change({}));
  Promise.all(sources.map((image) => image.decode())).then(show);
})();
