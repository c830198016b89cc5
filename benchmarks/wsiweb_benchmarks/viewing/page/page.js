/**
 * A slide in dicom-microscopy-viewer, as its README shows it.
 *
 * ?study=UID&series=UID; server=URL where that is another one; colour=stored to leave the conversion
 * by the ICC profile out; place=LEFT,TOP,WIDTH,HEIGHT is where on the page the viewer is,
 * in CSS pixels, so that it can have the very size that another viewer has.
 */

const asked = new URLSearchParams(location.search);
const container = document.getElementById("slide");
const [left, top_, width, height] = (asked.get("place") ?? "").split(",").map(Number);
Object.assign(
  container.style,
  width
    ? { left: `${left}px`, top: `${top_}px`, width: `${width}px`, height: `${height}px` }
    : { inset: "0" },
);

// Where the library finds the code of its workers: beside this page.
window.PUBLIC_URL = new URL(".", location.href).pathname;
window.PUBLIC_LIB_URL = "./";

/** Take the ICC profiles out of a header, so that colours are shown as they are stored. */
function forgetProfiles(header) {
  delete header["00282000"];
  for (const path of header["00480105"]?.Value ?? []) delete path["00282000"];
}

async function show() {
  const { metadata, viewer } = window.dicomMicroscopyViewer;
  const client = new window.DICOMwebClient.api.DICOMwebClient({
    url: asked.get("server") ?? location.origin,
  });
  const headers = await client.retrieveSeriesMetadata({
    studyInstanceUID: asked.get("study"),
    seriesInstanceUID: asked.get("series"),
  });
  if (asked.get("colour") === "stored") headers.forEach(forgetProfiles);
  const images = headers
    .map((header) => new metadata.VLWholeSlideMicroscopyImage({ metadata: header }))
    .filter((image) => ["VOLUME", "THUMBNAIL"].includes(image.ImageType[2]));
  window.viewer = new viewer.VolumeImageViewer({ client, metadata: images });
  window.viewer.render({ container });
}

show().catch((error) => {
  document.body.textContent = String(error?.message ?? error);
  throw error;
});
