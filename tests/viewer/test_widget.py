"""The widget: in a real kernel, whose front end is played by the test; and what it refuses."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import warnings

import numpy as np
import pytest
from PIL import Image
from viewer.kernels import kernel

import wsiweb

WIDGET = "application/vnd.jupyter.widget-view+json"


# In a kernel --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def running(made_folder):
    with kernel() as running:
        running.run(
            "import wsiweb\n"
            f"archive = wsiweb.connect({str(made_folder)!r})\n"
            "slide = archive.slides()[0].open()"
        )
        yield running


@pytest.fixture
def shown(running):
    """The outputs of a slide shown anew, and the name of its widget."""
    outputs = running.run("slide.show()")
    return outputs, running.views()[-1]


def test_a_slide_at_the_end_of_a_cell_is_a_widget_with_a_picture(running, made):
    figure, widget = running.run("slide")
    assert 'class="wsiweb-still' in figure["text/html"]
    assert "data:image/jpeg;base64," in figure["text/html"]
    assert "run the cell again" in figure["text/html"]
    assert len(figure["text/html"]) < 100_000
    model = widget[WIDGET]["model_id"]
    state = running.comms[model]
    assert state["_model_name"] == "AnyModel"
    assert f"wsiweb-still-{state['_name']}" in figure["text/html"]
    assert "export" in state["_esm"]
    assert (state["x"], state["y"], state["downsample"]) == (None, None, None)


def test_the_same_widget_is_shown_again(running):
    running.run("slide.show()")
    _, first = running.run("slide")
    _, second = running.run("slide")
    assert first[WIDGET]["model_id"] == second[WIDGET]["model_id"] == running.views()[-1]


def want(view, turn, *paths):
    names = [[f"{view}-{turn}-{path}", path] for path in paths]
    content = {"view": view, "turn": turn, "want": names, "cancel": []}
    return {"method": "custom", "content": content}


def test_tiles_travel_over_the_widgets_channel(running, shown, made_folder):
    _, comm = shown
    running.send(comm, want("w", 1, "manifest", "tiles/0/0/1/2/1"))
    answers = {}

    def enough():
        for name, content, buffers in running.custom:
            if name == comm:
                answers.update(
                    (one[0], (one[1], data))
                    for one, data in zip(content["got"], buffers, strict=True)
                )
        return len(answers) == 2

    running.listen(enough)
    kind, data = answers["w-1-tiles/0/0/1/2/1"]
    assert kind == "image/jpeg"
    with wsiweb.connect(made_folder) as archive:
        tile = archive.slides()[0].open().tile(1, 2, 1)
    shown_pixels = np.asarray(Image.open(io.BytesIO(data)))
    stored_pixels = np.asarray(Image.open(io.BytesIO(tile.data)))
    assert np.abs(shown_pixels.astype(int) - stored_pixels).mean() < 1
    assert json.loads(answers["w-1-manifest"][1])["width"] == 2100


def test_python_moves_the_view_in_one_message(running, shown):
    _, comm = shown
    before = len(running.updates)
    running.run("slide.goto(400, 300, downsample=2)")
    running.listen(lambda: running.comms[comm]["x"] == 400)
    moves = [state for name, state in running.updates[before:] if name == comm]
    assert moves == [{"x": 400.0, "y": 300.0, "downsample": 2.0}]


def said(running, code):
    return running.run(f"print({code}, end='')")[-1]["text/plain"]


def test_python_hears_where_the_user_looks(running, shown):
    _, comm = shown
    state = {"x": 700.5, "y": 500.0, "downsample": 1.0, "_screen": [600, 400]}
    running.send(comm, {"method": "update", "state": state, "buffer_paths": []})
    assert said(running, "slide.view.region()") == "((400, 300), 0, (600, 400))"
    assert said(running, "slide.view").startswith("<View of")
    assert "x=700" in said(running, "slide.view")
    assert float(said(running, "slide.view.mpp / slide.mpp[0]")) == 1
    state = {"downsample": 5.0}
    running.send(comm, {"method": "update", "state": state, "buffer_paths": []})
    location, level, size = eval(said(running, "slide.view.region()"))
    assert (location, level) == ((-800, -500), 2)  # 4 is the coarsest level that is fine enough
    assert size == (750, 500)
    assert said(running, "slide.read_region(*slide.view.region()).shape") == "(500, 750, 3)"


def test_where_the_front_end_begins_does_not_undo_what_python_said(running, shown):
    _, comm = shown
    running.run("slide.goto(400, 300)")
    begin = {"x": 1050, "y": 750, "downsample": 3}
    running.send(comm, {"method": "custom", "content": {"begin": begin}})
    assert said(running, "(slide.view.x, slide.view.y)") == "(400.0, 300.0)"


def test_where_the_front_end_begins_is_known_otherwise(running, shown):
    _, comm = shown
    begin = {"x": 1050, "y": 750, "downsample": 3, "_esm": "evil"}
    running.send(comm, {"method": "custom", "content": {"begin": begin}})
    assert said(running, "(slide.view.x, slide.view.downsample)") == "(1050.0, 3.0)"
    assert said(running, "slide.view._esm == 'evil'") == "False"


def test_micrometres_are_as_good(running, shown):
    assert said(running, "slide.goto(1, 2, mpp=slide.mpp[0] * 3) or slide.view.downsample") == "3.0"
    running.run("slide.view.mpp = slide.mpp[0]")
    assert said(running, "slide.view.downsample") == "1.0"


def test_a_closed_view_is_gone(running):
    running.run("view = slide.show()\nview")
    running.run("view.close()\nview.close()")


def test_a_view_in_a_box_has_no_picture_beside_it(running):
    (box,) = running.run("import ipywidgets\nipywidgets.HBox([slide.show(), slide.show()])")
    assert WIDGET in box
    assert "wsiweb-still" not in str(box)


# Without a kernel ---------------------------------------------------------------------------------


@pytest.fixture
def slide(made_folder):
    with wsiweb.connect(made_folder) as archive:
        yield archive.slides()[0].open()


@pytest.mark.parametrize("height", [0, -3, 119, 4001, 2.5, "tall", None])
def test_heights_that_make_no_sense_are_refused(slide, height):
    with pytest.raises(ValueError, match="height"):
        slide.show(height=height)


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ({"x": "here"}, "x is a place"),
        ({"y": float("nan")}, "y is a place"),
        ({"downsample": 0}, "downsample"),
        ({"mpp": -1}, "mpp"),
        ({"mpp": 1, "downsample": 1}, "not both"),
    ],
)
def test_places_that_make_no_sense_are_refused(slide, place, says):
    with pytest.raises(ValueError, match=says):
        slide.goto(**place)
    assert slide.view.x is None


def test_there_is_no_region_before_the_view_was_seen(slide):
    with pytest.raises(ValueError, match="has not been seen yet"):
        slide.view.region()


def test_what_was_shown_last_is_the_view(slide):
    assert slide.view is slide.view
    shown = slide.show(height=300)
    assert slide.view is shown
    assert shown.height == 300


def test_a_closed_slide_is_not_shown(slide):
    slide.close()
    with pytest.raises(ValueError, match="closed"):
        slide.show()


def test_all_that_a_notebook_may_ask_for(slide):
    data, _ = slide._repr_mimebundle_()
    picture = Image.open(io.BytesIO(base64.b64decode(data["image/jpeg"])))
    assert picture.size == (512, 366)
    assert data["text/plain"] == repr(slide)
    assert WIDGET in data
    assert slide._display_() is slide.view


def test_a_slide_that_cannot_be_read_is_shown_without_a_picture(made_folder):
    from wsiweb.server import serve

    with serve(made_folder) as server:
        archive = wsiweb.connect(server.url, settings=wsiweb.Settings(retries=0))
        slide = archive.slides()[0].open()
    with archive:
        data, _ = slide._repr_mimebundle_()
    assert "image/jpeg" not in data
    assert data["text/plain"] == repr(slide)


def script(code, folder):
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


OPEN = "import sys, wsiweb\nslide = wsiweb.connect(sys.argv[1]).slides()[0].open()\n"


def test_importing_wsiweb_imports_no_viewer(made_folder):
    seen = "print(sorted(m for m in sys.modules if m.split('.')[0] in"
    code = f"{OPEN}{seen} ('anywidget', 'ipywidgets', 'IPython') or 'viewer' in m))"
    assert script(code, made_folder).strip() == "[]"


def test_without_anywidget_a_slide_is_a_picture(made_folder):
    code = (
        "import sys\nsys.modules['anywidget'] = None\n"
        f"{OPEN}print(sorted(slide._repr_mimebundle_()), '<img' in slide._display_()._repr_html_())"
        "\ntry:\n    slide.show()\nexcept ImportError as error:\n    print(error)"
    )
    words = script(code, made_folder)
    assert "['image/jpeg', 'text/plain'] True" in words
    assert 'pip install "wsiweb[viewer]"' in words


def test_in_a_terminal_a_slide_is_words(made_folder):
    code = (
        "from IPython.terminal.interactiveshell import TerminalInteractiveShell as Shell\n"
        "import sys, wsiweb\nshell = Shell.instance()\n"
        "slide = wsiweb.connect(sys.argv[1]).slides()[0].open()\n"
        "print(shell.display_formatter.format(slide)[0])\n"
        "assert not any(name.startswith('wsiweb.viewer') for name in sys.modules)"
    )
    assert "{'text/plain': '<Slide" in script(code, made_folder)


# Overlays -----------------------------------------------------------------------------------------


def layers_of(view):
    from wsiweb import loop

    return json.loads(loop.run(view._feed.get("layers")).data)


def test_nothing_lies_over_a_slide_when_nothing_is_wanted(slide):
    assert layers_of(slide.show(False)) == []
    assert layers_of(slide.show([])) == []


def test_masks_maps_and_shapes_lie_over_a_slide(slide):
    import shapely

    width, height = slide.levels[1].size
    mask = np.zeros((height, width), bool)
    mask[100:200, 100:300] = True
    labels = mask.astype(np.uint8) * 2
    labels[:50, :50] = 1
    heat = np.linspace(0, 1, width * height).reshape(height, width)
    boxes = [shapely.box(10, 10, 500, 500), shapely.Point(3, 4)]
    view = slide.show({"tissue": mask, "classes": labels, "score": heat, "boxes": boxes})
    layers = {one["title"]: one for one in layers_of(view)}
    assert {name: one["kind"] for name, one in layers.items()} == {
        "tissue": "segmentation",
        "classes": "segmentation",
        "score": "heatmap",
        "boxes": "annotations",
    }
    assert [one["name"] for one in layers["classes"]["parts"]] == ["classes 1", "classes 2"]
    assert layers["boxes"]["shapes"]


def test_tiles_of_an_unsaved_mask_are_its_pixels(slide):
    from wsiweb import loop

    width, height = slide.levels[1].size
    mask = np.zeros((height, width), bool)
    mask[5:20, 7:30] = True
    view = slide.show(mask)
    (layer,) = layers_of(view)
    tile = loop.run(view._feed.get(f"layers/{layer['id']}/{layer['parts'][0]['id']}/0/0/0"))
    gray = np.asarray(Image.open(io.BytesIO(tile.data)).convert("LA"))[..., 0]
    np.testing.assert_array_equal(gray[:100, :100] > 0, mask[:100, :100])


def test_a_session_that_was_not_stored_lies_over_a_slide(slide, tmp_path):
    with slide.results("mine", folder=tmp_path) as session:
        session.add_mask(np.ones(slide.levels[2].size[::-1], bool), segments="Tissue")
    with slide.results("another", folder=tmp_path) as other:
        other.add_mask(np.ones(slide.levels[2].size[::-1], bool), segments="Tissue")
    before = sorted(tmp_path.iterdir())
    assert [one["title"] for one in layers_of(slide.show([session]))] == ["mine"]
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("overlays", "says"),
    [
        ("tumour", "Overlays are what"),
        (7, "Overlays are what"),
        ([object()], "Overlays are what"),
        ({"a": "b"}, "Overlays are what"),
        (np.ones((7, 7), bool), "no level of the slide is of that size"),
        (np.ones((7, 7)), "of the size of no level"),
        (np.zeros((188, 263), bool), "is empty"),
        (np.ones((2, 2, 2)), "2 axes"),
        (np.full((188, 263), 300), "up to 255"),
        (np.array(["a"]), "Overlays are what"),
    ],
    ids=str,
)
def test_what_cannot_lie_over_a_slide_is_refused_in_words(slide, overlays, says):
    with pytest.raises(ValueError, match=says):
        slide.show(overlays)


def test_an_empty_session_is_refused(slide):
    with pytest.raises(ValueError, match="nothing was added"):
        slide.show(slide.results("empty"))


def test_stored_results_are_found_by_themselves(made_folder, tmp_path):
    import shutil

    folder = shutil.copytree(made_folder, tmp_path / "slides")
    with wsiweb.connect(folder) as archive:
        slide = archive.slides()[0].open()
        session = slide.results("kept")
        session.add_mask(np.ones(slide.levels[2].size[::-1], bool), segments="Tissue")
        session.save(folder / "results")
    with wsiweb.connect(folder) as archive, warnings.catch_warnings():
        slide = archive.slides()[0].open()
        assert [one["title"] for one in layers_of(slide.show())] == ["kept"]
        assert [one["title"] for one in layers_of(slide.show(slide.segmentations()))] == ["kept"]
        assert layers_of(slide.show(False)) == []


# Notebooks without a page -------------------------------------------------------------------------


def test_an_executed_notebook_is_exported_with_its_picture(made_folder, tmp_path):
    import nbformat
    from nbconvert import HTMLExporter
    from nbconvert.preprocessors import ExecutePreprocessor

    code = (
        f"import wsiweb\narchive = wsiweb.connect({str(made_folder)!r})\narchive.slides()[0].open()"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    ExecutePreprocessor(timeout=60, store_widget_state=False).preprocess(notebook)
    assert len(json.dumps(notebook)) < 150_000
    page, _ = HTMLExporter().from_notebook_node(notebook)
    (body,) = [one for one in page.split("<body")[1:] if "jp-Notebook" in one]
    assert body.count("data:image/jpeg;base64,") == 1
    assert "wsiweb-still" in body
