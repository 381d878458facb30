"""Content codings: gzip, deflate, and br and zstd where their modules are installed.

Two middlewares, one for what is sent and one for what comes in, and their parts.
"""

from bareasgi.compression.codings import (
    Compressor,
    CompressorMaker,
    Decompressor,
    DecompressorMaker,
    make_br_compressobj,
    make_br_decompressobj,
    make_compress_compressobj,
    make_compress_decompressobj,
    make_deflate_compressobj,
    make_deflate_decompressobj,
    make_gzip_compressobj,
    make_gzip_decompressobj,
    make_zstd_compressobj,
    make_zstd_decompressobj,
)
from bareasgi.compression.compressed_body import (
    CompressedBody,
    compression_writer,
    compression_writer_adapter,
)
from bareasgi.compression.decompressed_content import (
    DecompressedContent,
    compression_reader,
    compression_reader_adapter,
)
from bareasgi.compression.request_middleware import (
    DecompressionMiddleware,
    make_default_decompression_middleware,
)
from bareasgi.compression.response_middleware import (
    CompressionMiddleware,
    make_default_compression_middleware,
)

__all__ = [
    "CompressedBody",
    "CompressionMiddleware",
    "Compressor",
    "CompressorMaker",
    "DecompressedContent",
    "DecompressionMiddleware",
    "Decompressor",
    "DecompressorMaker",
    "compression_reader",
    "compression_reader_adapter",
    "compression_writer",
    "compression_writer_adapter",
    "make_br_compressobj",
    "make_br_decompressobj",
    "make_compress_compressobj",
    "make_compress_decompressobj",
    "make_default_compression_middleware",
    "make_default_decompression_middleware",
    "make_deflate_compressobj",
    "make_deflate_decompressobj",
    "make_gzip_compressobj",
    "make_gzip_decompressobj",
    "make_zstd_compressobj",
    "make_zstd_decompressobj",
]
