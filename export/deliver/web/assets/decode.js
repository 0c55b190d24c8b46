// An image file to its pixels, unchanged by colour profiles and transparency, upright as the file says.

/** RGBA pixels {width, height, data} of a file. Throws an Error in words where the browser cannot read it. */
export async function decode(blob) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  } catch {
    throw new Error("This file is not an image that this browser can read. Try a PNG, JPEG or WebP file.");
  }
  try {
    const pixels = drawn(bitmap);
    return opaque(pixels.data) ? pixels : unmixed(bitmap);
  } catch (error) {
    throw new Error(`An image of ${bitmap.width} x ${bitmap.height} pixels is too large for this browser: ${error.message}`);
  } finally {
    bitmap.close();
  }
}

function drawn(bitmap) {
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  canvas.drawImage(bitmap, 0, 0);
  return canvas.getImageData(0, 0, width, height);
}

function opaque(data) {
  for (let i = 3; i < data.length; i += 4) if (data[i] !== 255) return false;
  return true;
}

/** Through a texture: a 2D canvas stores colours times opacity and loses the colour of transparent pixels. */
function unmixed(bitmap) {
  const { width, height } = bitmap;
  const gl = new OffscreenCanvas(1, 1).getContext("webgl2");
  if (!gl || Math.max(width, height) > gl.getParameter(gl.MAX_TEXTURE_SIZE)) {
    throw new Error("it is partly transparent, and that needs a texture (WebGL 2) of its size");
  }
  gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
  gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
  gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
  gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
  gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, gl.getParameter(gl.TEXTURE_BINDING_2D), 0);
  const data = new Uint8ClampedArray(width * height * 4);
  gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, data);
  const failure = gl.getError();
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  if (failure !== gl.NO_ERROR) throw new Error(`WebGL reports error ${failure}`);
  return { width, height, data };
}
